// Command hello is the small guest of the start-up benchmarks.
package main

import "os"

func main() { os.Stdout.WriteString("hello\n") }
