// Command guest does what its arguments say, for the scripts beside it.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

func main() {
	verb, rest := "echo", os.Args[1:]
	if len(rest) > 0 {
		verb, rest = rest[0], rest[1:]
	}
	switch verb {
	case "echo":
		for _, a := range rest {
			fmt.Println(a)
		}
	case "both":
		fmt.Println("out")
		fmt.Fprintln(os.Stderr, "err")
	case "exit":
		code, err := strconv.Atoi(rest[0])
		if err != nil {
			panic(err)
		}
		os.Exit(code)
	case "cat":
		if _, err := io.Copy(os.Stdout, os.Stdin); err != nil {
			panic(err)
		}
	case "env":
		for _, name := range rest {
			fmt.Println(os.Getenv(name))
		}
	case "write":
		if err := os.WriteFile(rest[0], []byte(rest[1]), 0o644); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case "read":
		b, err := os.ReadFile(rest[0])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(string(b))
	case "grow":
		var keep [][]byte
		for {
			keep = append(keep, make([]byte, 1<<20))
		}
	case "await": // FILE CODE: ends when the file is there
		fmt.Println("waiting")
		for {
			if _, err := os.Stat(rest[0]); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		fmt.Println("found")
		code, err := strconv.Atoi(rest[1])
		if err != nil {
			panic(err)
		}
		os.Exit(code)
	case "sleep":
		fmt.Println("sleeping")
		time.Sleep(time.Hour)
	case "spin":
		fmt.Println("spinning")
		for {
		}
	case "trap":
		var p *int
		fmt.Println(*p)
	}
}
