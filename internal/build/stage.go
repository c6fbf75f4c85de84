package build

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"wherry/internal/build/files"
	"wherry/internal/image"
)

// stage is one FROM and what follows it, under way or done.
type stage struct {
	*builder
	number int
	config dockerspec.DockerOCIImage
	layers []ocispec.Descriptor
	tree   *files.Tree
	// args are the build arguments declared so far.
	args map[string]string
	// cmdSet tells that this stage has a CMD of its own, which ENTRYPOINT
	// leaves alone.
	cmdSet bool
	// linux is the name of a base image that has no wasm platform.
	linux string
}

// wasm tells whether the stage's image is for Wasm, and so has no shell.
func (s *stage) wasm() bool { return s.linux == "" && image.IsWasm(s.config.Platform) }

// buildStages builds the target and what it needs, and gives the target.
func (b *builder) buildStages(ctx context.Context) (*stage, error) {
	last, err := b.file.target(b.Target)
	if err != nil {
		return nil, err
	}
	globals, err := b.globals()
	if err != nil {
		return nil, err
	}
	base := func(n int) (string, error) { return b.file.expand(b.file.stages[n].BaseName, nil, globals) }
	need, err := b.file.needed(last, base)
	if err != nil {
		return nil, err
	}
	for _, w := range b.file.warnings {
		b.out.text("Warning: %s\n", w.Short)
	}
	total := 0
	for n := range need {
		total += 1 + len(b.file.stages[n].Commands)
	}
	b.done = map[int]*stage{}
	for n := range b.file.stages {
		if !need[n] {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if b.done[n], err = b.buildStage(ctx, n, total, globals); err != nil {
			return nil, err
		}
	}
	return b.done[last], nil
}

func (b *builder) buildStage(ctx context.Context, n, total int, globals map[string]string) (*stage, error) {
	def := b.file.stages[n]
	b.announce(total, def.SourceCode)
	s, err := b.from(ctx, n, globals)
	if err != nil {
		return nil, b.file.at(def.Location, err)
	}
	b.out.text(" ---> %s\n", s.shortID())
	if err := s.triggers(ctx, globals); err != nil {
		return nil, b.file.at(def.Location, err)
	}
	for _, c := range def.Commands {
		b.announce(total, source(c))
		err := ctx.Err()
		if err == nil {
			err = s.do(ctx, c, globals)
		}
		if err != nil {
			return nil, b.file.at(c.Location(), err)
		}
		b.out.text(" ---> %s\n", s.shortID())
	}
	return s, nil
}

func (b *builder) announce(total int, code string) {
	b.step++
	b.out.text("Step %d/%d : %s\n", b.step, total, code)
}

// source is an instruction as it was written.
func source(c instructions.Command) string {
	if s, ok := c.(fmt.Stringer); ok {
		return s.String()
	}
	return strings.ToUpper(c.Name())
}

// do carries out one instruction.
func (s *stage) do(ctx context.Context, c instructions.Command, globals map[string]string) error {
	expand := func(word string) (string, error) { return s.file.expand(word, s.config.Config.Env, s.args) }
	if c, ok := c.(instructions.SupportsSingleWordExpansion); ok {
		if err := c.Expand(expand); err != nil {
			return invalid("%w", err)
		}
	}
	if c, ok := c.(instructions.SupportsSingleWordExpansionRaw); ok {
		err := c.ExpandRaw(func(text string) (string, error) {
			lex := shell.NewLex('\\')
			lex.RawQuotes, lex.SkipProcessQuotes = true, true
			out, _, err := lex.ProcessWord(text, s.file.envs(s.config.Config.Env, s.args))
			return out, err
		})
		if err != nil {
			return invalid("%w", err)
		}
	}
	switch c := c.(type) {
	case *instructions.CopyCommand:
		return s.copy(ctx, c)
	case *instructions.AddCommand:
		return s.add(ctx, c)
	case *instructions.RunCommand:
		return s.run(ctx, c)
	case *instructions.WorkdirCommand:
		return s.workdir(ctx, c)
	case *instructions.ArgCommand:
		return s.arg(c, globals)
	case *instructions.OnbuildCommand:
		return s.onbuild(c)
	}
	if err := s.configure(c, expand); err != nil {
		return err
	}
	s.history(source(c), true)
	return nil
}

// history notes a step.
func (s *stage) history(code string, empty bool) {
	when := s.when
	s.config.History = append(s.config.History, ocispec.History{Created: &when, CreatedBy: code, EmptyLayer: empty})
}

// onbuild records a trigger for images that are built on this one.
func (s *stage) onbuild(c *instructions.OnbuildCommand) error {
	// That it says something is better known here than there.
	if _, err := parseTrigger(c.Expression); err != nil {
		return err
	}
	s.config.Config.OnBuild = append(s.config.Config.OnBuild, c.Expression)
	s.history(source(c), true)
	return nil
}

// triggers carries out what the base image's ONBUILD left to do.
func (s *stage) triggers(ctx context.Context, globals map[string]string) error {
	todo := s.config.Config.OnBuild
	s.config.Config.OnBuild = nil
	for _, expression := range todo {
		c, err := parseTrigger(expression)
		if err == nil {
			s.out.text("# Executing build trigger: %s\n", expression)
			err = s.do(ctx, c, globals)
		}
		if err != nil {
			return fmt.Errorf("the base image's ONBUILD %s: %w", expression, err)
		}
	}
	return nil
}

func parseTrigger(expression string) (instructions.Command, error) {
	result, err := parser.Parse(strings.NewReader(expression))
	if err != nil {
		return nil, invalid("%w", err)
	}
	if len(result.AST.Children) != 1 {
		return nil, invalid("ONBUILD takes one instruction, %q has %d", expression, len(result.AST.Children))
	}
	switch name := strings.ToUpper(result.AST.Children[0].Value); name {
	case "FROM", "ONBUILD", "MAINTAINER":
		return nil, invalid("%s can't follow ONBUILD", name)
	}
	c, err := instructions.ParseCommand(result.AST.Children[0])
	if err != nil {
		return nil, invalid("%w", err)
	}
	return c, nil
}

// clone makes a stage that goes on where this one ends.
func (s *stage) clone(number int) *stage {
	c := *s
	c.number, c.args, c.cmdSet = number, map[string]string{}, false
	c.layers, c.tree = slices.Clone(s.layers), s.tree.Clone()
	c.config = cloneConfig(s.config)
	return &c
}

// cloneConfig copies what instructions change in place.
func cloneConfig(in dockerspec.DockerOCIImage) dockerspec.DockerOCIImage {
	out := in
	out.History, out.RootFS.DiffIDs = slices.Clone(in.History), slices.Clone(in.RootFS.DiffIDs)
	out.Config.Env, out.Config.OnBuild = slices.Clone(in.Config.Env), slices.Clone(in.Config.OnBuild)
	out.Config.Labels, out.Config.Volumes = maps.Clone(in.Config.Labels), maps.Clone(in.Config.Volumes)
	out.Config.ExposedPorts = maps.Clone(in.Config.ExposedPorts)
	return out
}
