// Checks what deploy/ ships as those read it who run it: a Compose file by the library of Docker Compose, manifests by
// the types of Kubernetes and of the Prometheus operator. Nothing is lenient: an unknown key or a value of another kind
// is a fault.
//
//	validators compose FILE    with the variables of its environment; prints the project as JSON
//	validators manifests       of standard input; prints each object's kind and name
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
)

func main() {
	if err := check(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(words []string) error {
	switch {
	case len(words) == 2 && words[0] == "compose":
		return compose(words[1])
	case len(words) == 1 && words[0] == "manifests":
		return manifests(os.Stdin)
	}
	return errors.New("usage: validators compose FILE, or validators manifests")
}

func compose(file string) error {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithOsEnv, cli.WithConsistency(true))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	text, err := project.MarshalJSON()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

func manifests(input io.Reader) error {
	scheme := runtime.NewScheme()
	known := runtime.NewSchemeBuilder(
		apps.AddToScheme, autoscaling.AddToScheme, core.AddToScheme, monitoring.AddToScheme, networking.AddToScheme,
		policy.AddToScheme, rbac.AddToScheme,
	)
	if err := known.AddToScheme(scheme); err != nil {
		return err
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewYAMLReader(bufio.NewReader(input))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		object, kind, err := decoder.Decode(document, nil, nil)
		if runtime.IsMissingKind(err) {
			continue // comments alone
		}
		if err != nil {
			return fmt.Errorf("%w in:\n%s", err, document)
		}
		named, ok := object.(meta.Object)
		if !ok {
			return fmt.Errorf("%s has no name", kind)
		}
		fmt.Println(kind.Kind, named.GetName())
	}
}
