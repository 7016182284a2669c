// Batch runs helm's commands one after the other in one process: a JSON object with the arguments and the standard input
// of each comes in on a line, and one with the exit code and the two outputs goes out on a line.
//
// They are helm's own commands, which its main calls as well. What is saved is what each process of helm does anew before
// it looks at a chart: loading 60 MB, and initializing a client of everything in Kubernetes.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/pflag"
	helmcmd "helm.sh/helm/v4/pkg/cmd"
	"helm.sh/helm/v4/pkg/kube"
)

type request struct {
	Arguments []string `json:"arguments"`
	Stdin     string   `json:"stdin"`
}

type answer struct {
	Code   int    `json:"code"`
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
}

func main() {
	kube.ManagedFieldsManager = "helm"
	requests, answers := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for {
		var asked request
		if err := requests.Decode(&asked); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			panic(err)
		}
		if err := answers.Encode(run(asked)); err != nil {
			panic(err)
		}
	}
}

func run(asked request) answer {
	var stdout bytes.Buffer
	code := 0
	stderr := withStreams(asked.Stdin, func() { code = execute(asked.Arguments, &stdout) })
	return answer{code, stdout.String(), stderr}
}

// Execute does what helm's main does.
func execute(arguments []string, stdout io.Writer) int {
	command, err := helmcmd.NewRootCmd(stdout, arguments, helmcmd.SetupLogging)
	if err != nil {
		slog.Warn("command failed", slog.Any("error", err))
		return 1
	}
	defer command.PersistentFlags().VisitAll(forget)
	command.SetArgs(arguments)
	err = command.Execute()
	if failed, ok := errors.AsType[helmcmd.CommandError](err); ok {
		return failed.ExitCode
	} else if err != nil {
		return 1
	}
	return 0
}

// Forget gives an option the value that it had before the command. Helm keeps its global options in a variable of the
// package, so they would be the defaults of the next command.
func forget(option *pflag.Flag) {
	if list, ok := option.Value.(pflag.SliceValue); ok && option.Changed {
		_ = list.Replace(nil)
	} else if option.Changed {
		_ = option.Value.Set(option.DefValue)
	}
}

// WithStreams calls a function whose standard input is a text, and returns what it wrote to its standard error.
func withStreams(text string, call func()) string {
	in, feed, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	out, sink, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	stdin, stderr := os.Stdin, os.Stderr
	os.Stdin, os.Stderr = in, sink
	go func() { _, _ = io.WriteString(feed, text); _ = feed.Close() }()
	said := make(chan string)
	go func() { all, _ := io.ReadAll(out); said <- string(all) }()
	call()
	os.Stdin, os.Stderr = stdin, stderr
	_ = in.Close()
	_ = sink.Close()
	defer out.Close()
	return <-said
}
