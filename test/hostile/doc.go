// Package hostile holds the hostile corpus: a guest that tries to get out in
// hundreds of named ways, run on every engine, as root and as an ordinary user,
// in the test's own process and in containers. Beside everything that it can
// reach lies a canary, which must be neither read nor changed; and each attempt
// must be answered with the error that the specifications demand.
//
// The cases are in testdata/guest. HOSTILE_RACE sets how long each race goes
// on: `HOSTILE_RACE=60s go test -run Races ./test/hostile`.
package hostile
