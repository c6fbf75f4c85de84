//go:build linux

package socket

import "strconv"

// services are the names that guests give in place of port numbers; there is
// no /etc/services to ask.
var services = map[string]uint16{
	"ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "http": 80, "pop3": 110, "ntp": 123,
	"imap": 143, "ldap": 389, "https": 443, "syslog": 514, "ldaps": 636, "imaps": 993, "pop3s": 995,
	"mysql": 3306, "postgresql": 5432, "amqp": 5672, "redis": 6379, "http-alt": 8080, "mqtt": 1883,
}

// Service gives the port of a service: a decimal number, or with numeric false
// also a name. The empty service is port 0.
func Service(name string, numeric bool) (port uint16, ok bool) {
	if name == "" {
		return 0, true
	}
	if n, err := strconv.ParseUint(name, 10, 16); err == nil {
		return uint16(n), true
	}
	if numeric {
		return 0, false
	}
	port, ok = services[name]
	return port, ok
}
