// What became of it before Go began: 0 where it is done, else an errno; -1 where
// it was not tried.
extern int wherry_pathless;
