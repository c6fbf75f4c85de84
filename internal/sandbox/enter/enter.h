// Whether this process is a container process that has run its plan.
extern int wherry_entered;
