package build

import (
	"context"
	"path"
	"strconv"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/patternmatcher"

	"wherry/internal/build/files"
)

// placing is a COPY or ADD being carried out.
type placing struct {
	stage *stage
	verb  string
	from  *files.Tree
	// mode overrides the files' own if not negative.
	mode     int64
	uid, gid int
	exclude  *patternmatcher.PatternMatcher
	// dest is the clean place, intoDir that it names a folder.
	dest    string
	intoDir bool
	changed map[string]*files.Node
}

func (s *stage) copy(ctx context.Context, c *instructions.CopyCommand) error {
	if c.Parents {
		return invalid("COPY --parents is not built: name the destination of each folder")
	}
	from := s.context
	if c.From != "" {
		var err error
		if from, err = s.sourceTree(ctx, c.From); err != nil {
			return err
		}
	}
	p, err := s.placing("COPY", from, c.SourcesAndDest, c.Chown, c.Chmod, c.ExcludePatterns)
	if err != nil {
		return err
	}
	for _, src := range c.SourcePaths {
		if err := p.place(src, c.From == "", p.put); err != nil {
			return err
		}
	}
	return p.finish(ctx, c.SourceContents, source(c))
}

func (s *stage) placing(verb string, from *files.Tree, sd instructions.SourcesAndDest, chown, chmod string, exclude []string) (*placing, error) {
	p := &placing{stage: s, verb: verb, from: from, mode: -1, changed: map[string]*files.Node{}}
	var err error
	if chmod != "" {
		if p.mode, err = strconv.ParseInt(chmod, 8, 64); err != nil || p.mode < 0 || p.mode > 0o7777 {
			return nil, invalid("--chmod=%s is no octal mode such as 755", chmod)
		}
	}
	if p.uid, p.gid, err = owner(chown); err != nil {
		return nil, err
	}
	if p.exclude, err = patternmatcher.New(exclude); err != nil {
		return nil, invalid("--exclude: %w", err)
	}
	if sd.DestPath == "" {
		return nil, invalid("%s has an empty destination", verb)
	}
	dest := sd.DestPath
	if !path.IsAbs(dest) {
		dest = path.Join("/", s.config.Config.WorkingDir) + "/" + dest
	}
	slash := strings.HasSuffix(dest, "/") || strings.HasSuffix(dest, "/.") || strings.HasSuffix(dest, "/..")
	if len(sd.SourcePaths)+len(sd.SourceContents) > 1 && !slash {
		return nil, invalid("%s has several sources: end the destination %s with a /", verb, sd.DestPath)
	}
	at, n, err := s.tree.Resolve(dest, true)
	if err != nil {
		return nil, err
	}
	p.dest, p.intoDir = at, slash || n != nil && n.Type == files.Dir
	return p, nil
}

// owner reads UID[:GID]. An image for Wasm has no user names.
func owner(chown string) (uid, gid int, err error) {
	if chown == "" {
		return 0, 0, nil
	}
	user, group, both := strings.Cut(chown, ":")
	ids := []int{0, 0}
	for i, name := range []string{user, group} {
		if name == "root" || name == "" && (i == 1 || both) {
			continue
		}
		if ids[i], err = strconv.Atoi(name); err != nil || ids[i] < 0 {
			return 0, 0, invalid("--chown=%s: %q is no number; there are no user names in a Wasm image", chown, name)
		}
	}
	if !both {
		ids[1] = ids[0]
	}
	return ids[0], ids[1], nil
}

// place finds a source, which may be a pattern, and puts each match.
func (p *placing) place(src string, context bool, put func(at string, n *files.Node) error) error {
	matches := []string{src}
	if strings.ContainsAny(src, `*?[\`) {
		var err error
		if matches, err = p.from.Match(src); err != nil {
			return err
		}
		if len(matches) > 1 && !p.intoDir {
			return invalid("%s %s matches %d files: end the destination with a /", p.verb, src, len(matches))
		}
		if len(matches) == 0 {
			return p.missing(src, context)
		}
	}
	for _, m := range matches {
		at, n, err := p.from.Resolve(m, true)
		if err != nil {
			return err
		}
		if n == nil {
			return p.missing(src, context)
		}
		// The name is that of the source, not of what a link leads to.
		if n.Type != files.Dir {
			if err := put(path.Base(files.Clean(m)), n); err != nil {
				return err
			}
			continue
		}
		if err := p.folder(at); err != nil {
			return err
		}
	}
	return nil
}

func (p *placing) missing(src string, context bool) error {
	if !context {
		return invalid("%s: there is no %s in what --from names", p.verb, src)
	}
	if ignored := p.stage.ignored; ignored != nil {
		if out, err := ignored.MatchesOrParentMatches(files.Clean(src)); err == nil && out {
			return invalid("%s: %s is left out of the build context by .dockerignore", p.verb, src)
		}
	}
	hint := ""
	if strings.HasSuffix(src, ".wasm") {
		hint = "; compile it first, or copy app.wasm, which `wherry build DIR` compiles"
	}
	return invalid("%s: there is no %s in the build context%s", p.verb, src, hint)
}

// put lays a file: into the folder that the destination is, or as it.
func (p *placing) put(name string, n *files.Node) error {
	at := p.dest
	if p.intoDir {
		at = path.Join(p.dest, name)
	}
	return p.set(at, n)
}

// folder lays what is in a folder, not the folder itself, into the destination.
func (p *placing) folder(dir string) error {
	if n, ok := p.stage.tree.Get(p.dest); ok && n.Type != files.Dir {
		return invalid("%s: the destination /%s is a file, and the source is a folder", p.verb, p.dest)
	}
	if err := p.dirs(p.dest); err != nil {
		return err
	}
	for _, below := range p.from.Below(dir) {
		rel := strings.TrimPrefix(strings.TrimPrefix(below, dir), "/")
		out, err := p.exclude.MatchesOrParentMatches(rel)
		if err != nil {
			return invalid("--exclude: %w", err)
		}
		if out {
			continue
		}
		n, _ := p.from.Get(below)
		if err := p.set(path.Join(p.dest, rel), n); err != nil {
			return err
		}
	}
	return nil
}

func (p *placing) dirs(at string) error {
	made, err := p.stage.tree.MakeDirs(at)
	for _, m := range made {
		p.changed[m], _ = p.stage.tree.Get(m)
	}
	return err
}

// set lays a node at a clean path, with the owner and mode asked for.
func (p *placing) set(at string, n *files.Node) error {
	// Below the destination links of the image are followed too, as writing
	// through a folder's link does; the last part is replaced.
	dir, _, err := p.stage.tree.Resolve(path.Dir("/"+at), true)
	if err != nil {
		return err
	}
	if err := p.dirs(dir); err != nil {
		return err
	}
	at = path.Join(dir, path.Base("/"+at))
	if old, ok := p.stage.tree.Get(at); ok && n.Type == files.Dir && old.Type == files.Link {
		if to, target, err := p.stage.tree.Resolve(at, true); err == nil && (target == nil || target.Type == files.Dir) {
			return p.dirs(to) // the folder goes where the image's link leads
		}
	}
	c := *n
	c.UID, c.GID = p.uid, p.gid
	if p.mode >= 0 && c.Type != files.Link {
		c.Mode = p.mode
	}
	if err := p.stage.tree.Put(at, &c); err != nil {
		return err
	}
	p.changed[at] = &c
	return nil
}

// finish lays the here-documents and makes the layer.
func (p *placing) finish(ctx context.Context, texts []instructions.SourceContent, code string) error {
	for _, t := range texts {
		if err := p.put(path.Base(t.Path), files.NewFile(t.Data)); err != nil {
			return err
		}
	}
	return p.stage.layer(ctx, p.changed, nil, code)
}
