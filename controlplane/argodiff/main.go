// Argodiff reads a JSON array of pairs, what Git has and what the cluster has, and writes for each what Argo CD would
// show as a difference: null if the resource is in sync.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/argoproj/gitops-engine/pkg/diff"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Pair is a resource as Git has it and as it is live. Predicted is the answer of a server-side dry run; with it the
// comparison is Argo CD's server-side one, otherwise its usual one, by the annotation of a client-side apply.
type pair struct {
	Config    json.RawMessage `json:"config"`
	Live      json.RawMessage `json:"live"`
	Predicted json.RawMessage `json:"predicted"`
}

type difference struct {
	Live      json.RawMessage `json:"live"`
	Predicted json.RawMessage `json:"predicted"`
}

type dryRun struct{ answer string }

func (d dryRun) Run(context.Context, *unstructured.Unstructured, string) (string, error) { return d.answer, nil }

func main() {
	if err := compare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func compare() error {
	var pairs []pair
	if err := json.NewDecoder(os.Stdin).Decode(&pairs); err != nil {
		return err
	}
	found := make([]*difference, 0, len(pairs))
	for number, each := range pairs {
		one, err := compared(each)
		if err != nil {
			return fmt.Errorf("pair %d: %w", number, err)
		}
		found = append(found, one)
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func compared(of pair) (*difference, error) {
	config, live := &unstructured.Unstructured{}, &unstructured.Unstructured{}
	if err := config.UnmarshalJSON(of.Config); err != nil {
		return nil, err
	}
	if err := live.UnmarshalJSON(of.Live); err != nil {
		return nil, err
	}
	options := []diff.Option{}
	if len(of.Predicted) > 0 {
		options = append(
			options,
			diff.WithServerSideDiff(true),
			diff.WithServerSideDryRunner(dryRun{string(of.Predicted)}),
			diff.WithManager("argocd-controller"),
			// Without webhooks in the cluster there is nothing to take out.
			diff.WithIgnoreMutationWebhook(false),
		)
	}
	result, err := diff.Diff(config, live, options...)
	if err != nil || !result.Modified {
		return nil, err
	}
	return &difference{result.NormalizedLive, result.PredictedLive}, nil
}
