//go:build linux

package preview1

// Rights of descriptors (typenames.witx, rights).
const (
	rightFdDatasync          uint64 = 1 << 0
	rightFdRead              uint64 = 1 << 1
	rightFdSeek              uint64 = 1 << 2
	rightFdFdstatSetFlags    uint64 = 1 << 3
	rightFdSync              uint64 = 1 << 4
	rightFdTell              uint64 = 1 << 5
	rightFdWrite             uint64 = 1 << 6
	rightFdAdvise            uint64 = 1 << 7
	rightFdAllocate          uint64 = 1 << 8
	rightPathCreateDirectory uint64 = 1 << 9
	rightPathCreateFile      uint64 = 1 << 10
	rightPathLinkSource      uint64 = 1 << 11
	rightPathLinkTarget      uint64 = 1 << 12
	rightPathOpen            uint64 = 1 << 13
	rightFdReaddir           uint64 = 1 << 14
	rightPathReadlink        uint64 = 1 << 15
	rightPathRenameSource    uint64 = 1 << 16
	rightPathRenameTarget    uint64 = 1 << 17
	rightPathFilestatGet     uint64 = 1 << 18
	rightPathFilestatSetSize uint64 = 1 << 19
	rightPathFilestatSetTime uint64 = 1 << 20
	rightFdFilestatGet       uint64 = 1 << 21
	rightFdFilestatSetSize   uint64 = 1 << 22
	rightFdFilestatSetTimes  uint64 = 1 << 23
	rightPathSymlink         uint64 = 1 << 24
	rightPathRemoveDirectory uint64 = 1 << 25
	rightPathUnlinkFile      uint64 = 1 << 26
	rightPollFdReadwrite     uint64 = 1 << 27
	rightSockShutdown        uint64 = 1 << 28
	rightSockAccept          uint64 = 1 << 29
)

// What each kind of descriptor can have.
const (
	rightsWriting = rightFdWrite | rightFdAllocate | rightFdFilestatSetSize
	rightsAnyFile = rightFdDatasync | rightFdSync | rightFdSeek | rightFdTell | rightFdAdvise |
		rightFdFdstatSetFlags | rightFdFilestatGet | rightFdFilestatSetTimes | rightPollFdReadwrite
	rightsFile = rightsAnyFile | rightFdRead | rightsWriting

	rightsDir = rightFdFdstatSetFlags | rightFdSync | rightFdDatasync | rightFdAdvise | rightFdReaddir |
		rightFdFilestatGet | rightFdFilestatSetTimes | rightPathCreateDirectory | rightPathCreateFile |
		rightPathLinkSource | rightPathLinkTarget | rightPathOpen | rightPathReadlink |
		rightPathRenameSource | rightPathRenameTarget | rightPathFilestatGet | rightPathFilestatSetSize |
		rightPathFilestatSetTime | rightPathSymlink | rightPathRemoveDirectory | rightPathUnlinkFile |
		rightPollFdReadwrite
	rightsDirInheriting = rightsDir | rightsFile

	rightsSocket = rightFdRead | rightFdWrite | rightFdFdstatSetFlags | rightFdFilestatGet |
		rightPollFdReadwrite | rightSockShutdown | rightSockAccept

	// A stream that cannot be sought has neither of the seeking rights: that is
	// how wasi-libc's isatty tells a terminal from another device.
	rightsStream = rightFdRead | rightFdWrite | rightFdFdstatSetFlags | rightFdFilestatGet |
		rightPollFdReadwrite | rightFdAdvise | rightFdSync | rightFdDatasync
	rightsSeekableStream = rightsStream | rightFdSeek | rightFdTell
)

// need checks that a descriptor has rights. A missing right to read or write is
// the errno that POSIX has for a descriptor opened the other way.
func (d *desc) need(rights uint64) errno {
	missing := rights &^ d.rights
	switch {
	case missing == 0:
		return ok
	case d.dir != nil && missing&rightFdRead != 0:
		return errIsdir
	case missing&(rightFdRead|rightFdWrite) != 0:
		return errBadf
	}
	return errNotcapable
}
