#define WHERRY_STACK_BYTES (8 << 20)

// The pipe on which the parent waits, -1 where this process was not split.
extern int wherry_early_report;
// The container process and the shim's end of its control socket; 0 and -1
// where there is none.
extern int wherry_early_standby;
extern int wherry_early_control;
