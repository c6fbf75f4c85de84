// Package bench measures: what a start costs beside a bare host, and where the
// time goes. Every figure is a ratio, or a median, of runs interleaved in one
// process, since machines are noisy. It must hold nothing that products use.
package bench
