package build

import (
	"bytes"
	"compress/gzip"
	"maps"
	"slices"
	"testing"
)

// What a Dockerfile makes of a context, as the paths of its last layer.
func TestCopy(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := z.Write(archive(t, map[string]string{"in/deep": "deep", "top": "top"}).Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	context := map[string]string{
		"a.txt": "a", "b.txt": "b", "dir/x": "x", "dir/sub/y": "y", "dir/link": "-> sub/y", "toa": "-> a.txt", "todir": "-> /dir",
		"up": "-> ../../../a.txt", "x.tgz": zipped.String(), "not.tar": "text", "keep/out": "o", "keep/in": "i", "space name": "s",
		".dockerignore": "keep\n!keep/in\n",
	}
	for _, tc := range []struct {
		name, lines string
		want        map[string]string
	}{
		{"file to file", "COPY a.txt /new/name", map[string]string{"new/": "", "new/name": "a"}},
		{"file to folder", "COPY a.txt /new/", map[string]string{"new/": "", "new/a.txt": "a"}},
		{"file to existing folder", "WORKDIR /new\nCOPY a.txt /new", map[string]string{"new/a.txt": "a"}},
		{"to relative", "WORKDIR /w\nCOPY a.txt b.txt ./", map[string]string{"w/a.txt": "a", "w/b.txt": "b"}},
		{"glob", "COPY *.txt /", map[string]string{"a.txt": "a", "b.txt": "b"}},
		{"folder's content", "COPY dir /d", map[string]string{"d/": "", "d/x": "x", "d/sub/": "", "d/sub/y": "y", "d/link": "-> sub/y"}},
		{"link to a file", "COPY toa /t", map[string]string{"t": "a"}},
		{"link to a folder", "COPY todir /t/", map[string]string{"t/": "", "t/x": "x", "t/sub/": "", "t/sub/y": "y", "t/link": "-> sub/y"}},
		{"link upwards stays inside", "COPY up /t", map[string]string{"t": "a"}},
		{"json form", `COPY ["space name", "/s p/"]`, map[string]string{"s p/": "", "s p/space name": "s"}},
		{"exclude", "COPY --exclude=sub dir /d", map[string]string{"d/": "", "d/x": "x", "d/link": "-> sub/y"}},
		{"ignored but one", "COPY keep /k", map[string]string{"k/": "", "k/in": "i"}},
		{"archive unpacks", "ADD x.tgz /u", map[string]string{"u/": "", "u/top": "top", "u/in/": "", "u/in/deep": "deep"}},
		{"archive copied", "COPY x.tgz /u", map[string]string{"u": zipped.String()}},
		{"text that says tar", "ADD not.tar /u", map[string]string{"u": "text"}},
		{"here-document", "ARG W=world\nCOPY <<EOF /etc/motd\nhello $W\nEOF", map[string]string{"etc/": "", "etc/motd": "hello world\n"}},
		{"variable", "ENV D=/there\nCOPY a.txt $D/", map[string]string{"there/": "", "there/a.txt": "a"}},
		{"through the image's link", "COPY dir /d\nADD x.tgz /d/in", map[string]string{"d/in/": "", "d/in/top": "top", "d/in/in/": "", "d/in/in/deep": "deep"}},
		{"earlier stage", "FROM scratch AS one\nCOPY a.txt /made/by\nFROM scratch\nCOPY --from=one /made /here", map[string]string{"here/": "", "here/by": "a"}},
		{"stage by number", "FROM scratch\nCOPY a.txt /f\nFROM scratch\nCOPY --from=1 /f /g", map[string]string{"g": "a"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := maps.Clone(context)
			files["Dockerfile"] = "FROM scratch\n" + tc.lines + "\n"
			b, err := run(t, openStore(t), Options{}, files)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.layers[len(b.layers)-1]; !maps.Equal(got, tc.want) {
				t.Errorf("the layer has %q, want %q", got, tc.want)
			}
		})
	}
}

// A stage that the target doesn't need isn't built, whatever is in it.
func TestUnneededStages(t *testing.T) {
	files := map[string]string{"Dockerfile": "FROM --platform=linux/amd64 golang AS compile\nRUN make\nFROM scratch AS want\nCOPY f /\nFROM want AS last\nCOPY nope /\n", "f": "f"}
	b, err := run(t, openStore(t), Options{Target: "want"}, files)
	if err != nil || !slices.Equal(slices.Collect(maps.Keys(b.layers[0])), []string{"f"}) {
		t.Errorf("%+v, %v", b, err)
	}
}
