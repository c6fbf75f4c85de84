//go:build linux

package daemon

import (
	"context"
	"fmt"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"wherry/internal/daemon/fault"
	"wherry/internal/daemon/record"
)

// column is one of ps(1)'s columns.
type column struct {
	title string
	value func(process, record.Container) string
}

func count[T ~int | ~uint64](n T) string { return strconv.FormatUint(uint64(n), 10) }

// columns are those that make sense of one process, by ps's names.
var columns = map[string]column{
	"pid":   {"PID", func(p process, _ record.Container) string { return count(p.pid) }},
	"ppid":  {"PPID", func(p process, _ record.Container) string { return count(p.ppid) }},
	"uid":   {"UID", func(p process, _ record.Container) string { return p.uid }},
	"user":  {"USER", func(p process, _ record.Container) string { return userName(p.uid) }},
	"c":     {"C", func(p process, _ record.Container) string { return strconv.Itoa(int(usage(p))) }},
	"pcpu":  {"%CPU", func(p process, _ record.Container) string { return fmt.Sprintf("%.1f", usage(p)) }},
	"pmem":  {"%MEM", func(p process, _ record.Container) string { return percent(p.rss, memTotal()) }},
	"vsz":   {"VSZ", func(p process, _ record.Container) string { return count(p.vsize >> 10) }},
	"rss":   {"RSS", func(p process, _ record.Container) string { return count(p.rss >> 10) }},
	"tty":   {"TTY", func(_ process, r record.Container) string { return ttyName(r) }},
	"stat":  {"STAT", func(p process, _ record.Container) string { return string(p.state) }},
	"stime": {"STIME", func(_ process, r record.Container) string { return r.State.StartedAt.Local().Format("15:04") }},
	"time":  {"TIME", func(p process, _ record.Container) string { return clockTime(p.user + p.system) }},
	"etime": {"ELAPSED", func(p process, _ record.Container) string { return clockTime(uptime() - p.started) }},
	"nlwp":  {"NLWP", func(p process, _ record.Container) string { return count(p.threads) }},
	"comm":  {"COMMAND", func(_ process, r record.Container) string { return r.Path }},
	"cmd":   {"CMD", func(_ process, r record.Container) string { return command(r) }},
	"args":  {"COMMAND", func(_ process, r record.Container) string { return command(r) }},
}

// The formats of ps that people use with top.
var (
	fullFormat = []string{"user", "pid", "ppid", "c", "stime", "tty", "time", "cmd"}
	userFormat = []string{"user", "pid", "pcpu", "pmem", "vsz", "rss", "tty", "stat", "stime", "time", "args"}
)

// ContainerTop shows a container's process. A guest is one process, so of ps's
// options those that choose columns are known: -ef, aux, and -o.
func (d *Daemon) ContainerTop(_ context.Context, id string, args []string) (container.TopResponse, error) {
	c, err := d.find(id)
	if err != nil {
		return container.TopResponse{}, err
	}
	names, err := psColumns(args)
	if err != nil {
		return container.TopResponse{}, err
	}
	rec, _, err := c.running()
	if err != nil {
		return container.TopResponse{}, err
	}
	p, err := readProcess(rec.State.Pid)
	if err != nil {
		return container.TopResponse{}, notRunning(rec)
	}
	var top container.TopResponse
	var row []string
	for _, n := range names {
		title := columns[n].title
		if n == "user" && len(names) == len(fullFormat) && names[len(names)-1] == "cmd" {
			title = "UID" // as ps -f heads it
		}
		top.Titles = append(top.Titles, title)
		row = append(row, columns[n].value(p, rec))
	}
	top.Processes = [][]string{row}
	c.emit(events.ActionTop, nil)
	return top, nil
}

// psColumns reads ps's options.
func psColumns(args []string) ([]string, error) {
	line := strings.Join(args, " ")
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return fullFormat, nil
	}
	var chosen []string
	for i := 0; i < len(fields); i++ {
		switch f := fields[i]; {
		case f == "-ef" || f == "-f" || f == "-e" || f == "-A" || f == "-eF":
		case f == "aux" || f == "-aux" || f == "u" || f == "auxw" || f == "auxww":
			chosen = userFormat
		case f == "-o" || f == "o" || f == "-eo" || f == "--format":
			if i++; i == len(fields) {
				return nil, fault.Invalid("ps option %s wants columns, such as -o pid,cmd", f)
			}
			own, err := ownColumns(fields[i])
			if err != nil {
				return nil, err
			}
			chosen = own
		case strings.HasPrefix(f, "-o"):
			own, err := ownColumns(f[2:])
			if err != nil {
				return nil, err
			}
			chosen = own
		default:
			return nil, fault.Invalid("ps option %q is not known: there are -ef, aux and -o with columns", f)
		}
	}
	if chosen == nil {
		return fullFormat, nil
	}
	return chosen, nil
}

func ownColumns(list string) ([]string, error) {
	var names []string
	for n := range strings.SplitSeq(list, ",") {
		n = strings.ToLower(strings.TrimSpace(n))
		if short, ok := map[string]string{"%cpu": "pcpu", "%mem": "pmem", "command": "args", "start": "stime", "s": "stat", "state": "stat"}[n]; ok {
			n = short
		}
		if _, ok := columns[n]; !ok {
			return nil, fault.Invalid("ps column %q is not known: there are pid, ppid, user, uid, pcpu, pmem, vsz, rss, tty, stat, stime, time, etime, nlwp, comm, cmd and args", n)
		}
		names = append(names, n)
	}
	return names, nil
}

func userName(uid string) string {
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}

func ttyName(r record.Container) string {
	if r.Config.Tty {
		return "pts/0"
	}
	return "?"
}

// usage is the share of one CPU that a process had over its life, in percent.
func usage(p process) float64 {
	life := uptime() - p.started
	if life <= 0 {
		return 0
	}
	return 100 * float64(p.user+p.system) / float64(life)
}

func percent(part, whole uint64) string {
	if whole == 0 {
		return "0.0"
	}
	return fmt.Sprintf("%.1f", 100*float64(part)/float64(whole))
}

func clockTime(d time.Duration) string {
	s := int(max(d, 0).Seconds())
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}
