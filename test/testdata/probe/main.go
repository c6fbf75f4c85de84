// Command probe does what its arguments say, a verb after the other, so that
// tests see what a guest sees. It is built for wasip1.
package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"wherry/guest/wasinet"
)

// verbs take their operands from the front of the rest of the arguments.
var verbs = map[string]struct {
	operands int
	do       func(a []string) error
}{
	"ls": {1, func(a []string) error {
		entries, err := os.ReadDir(a[0])
		for _, e := range entries {
			fmt.Println(e.Name())
		}
		return err
	}},
	"cat": {1, func(a []string) error {
		b, err := os.ReadFile(a[0])
		os.Stdout.Write(b)
		return err
	}},
	"write":  {2, func(a []string) error { return os.WriteFile(a[0], []byte(a[1]), 0o644) }},
	"mkdir":  {1, func(a []string) error { return os.Mkdir(a[0], 0o755) }},
	"rename": {2, func(a []string) error { return os.Rename(a[0], a[1]) }},
	"remove": {1, func(a []string) error { return os.Remove(a[0]) }},
	"pwd": {0, func([]string) error {
		dir, err := os.Getwd()
		fmt.Println(dir)
		return err
	}},
	"env": {1, func(a []string) error { fmt.Println(os.Getenv(a[0])); return nil }},
	"exit": {1, func(a []string) error {
		n, err := strconv.Atoi(a[0])
		if err == nil {
			os.Exit(n)
		}
		return err
	}},
	"overflow": {0, func([]string) error { fmt.Println(deep(1)); return nil }},
	"loop": {0, func([]string) error {
		fmt.Println("looping")
		for n := 0; ; n++ {
			_ = n
		}
	}},
	"sleep": {0, func([]string) error { fmt.Println("sleeping"); time.Sleep(time.Hour); return nil }},
	"grow": {0, func([]string) error {
		var keep [][]byte
		for {
			keep = append(keep, make([]byte, 1<<20))
		}
	}},
	// flood N writes N lines of 100 bytes.
	"flood": {1, func(a []string) error {
		n, err := strconv.Atoi(a[0])
		block := []byte(strings.Repeat(strings.Repeat("x", 99)+"\n", 100))
		for ; n > 0 && err == nil; n -= 100 {
			_, err = os.Stdout.Write(block)
		}
		return err
	}},
	"copy": {0, func([]string) error { _, err := io.Copy(os.Stdout, os.Stdin); return err }},
	"sum": {0, func([]string) error {
		h := sha256.New()
		n, err := io.Copy(h, os.Stdin)
		fmt.Printf("%d %x\n", n, h.Sum(nil))
		return err
	}},
	// bytes writes every byte there is.
	"bytes": {0, func([]string) error {
		var b [256]byte
		for i := range b {
			b[i] = byte(i)
		}
		_, err := os.Stdout.Write(b[:])
		return err
	}},
	"get": {1, func(a []string) error {
		client := &http.Client{Transport: &http.Transport{DialContext: wasinet.DialContext}, Timeout: 20 * time.Second}
		res, err := client.Get(a[0])
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.Copy(os.Stdout, res.Body)
		return err
	}},
	"resolve": {1, func(a []string) error {
		ips, err := wasinet.LookupNetIP(context.Background(), "ip", a[0])
		fmt.Println(ips)
		return err
	}},
	// serve ADDRESS answers connections from now on, beside what follows.
	"serve": {1, func(a []string) error {
		l, err := wasinet.Listen("tcp", a[0])
		if err == nil {
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						fmt.Fprintln(os.Stderr, err)
						os.Exit(1)
					}
					fmt.Fprintln(c, "served", a[0])
					c.Close()
				}
			}()
			fmt.Println("serving")
		}
		return err
	}},
	"dial": {1, func(a []string) error {
		c, err := (&wasinet.Dialer{Timeout: 10 * time.Second}).Dial("tcp", a[0])
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = io.Copy(os.Stdout, c)
		return err
	}},
}

func deep(n int) int {
	if n == 0 {
		return 0
	}
	return deep(n+1) + 1
}

func main() {
	for args := os.Args[1:]; len(args) > 0; {
		try := args[0] == "try" && len(args) > 1 // the next verb may fail
		if try {
			args = args[1:]
		}
		v, ok := verbs[args[0]]
		if !ok || len(args) <= v.operands {
			fmt.Fprintln(os.Stderr, "no verb with its operands:", args)
			os.Exit(64)
		}
		if err := v.do(args[1 : 1+v.operands]); err != nil {
			if try {
				fmt.Println(args[0]+":", err)
			} else {
				fmt.Fprintln(os.Stderr, args[0]+":", err)
				os.Exit(1)
			}
		}
		args = args[1+v.operands:]
	}
}
