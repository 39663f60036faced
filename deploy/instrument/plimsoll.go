// Package plimsoll says what Plimsoll cannot see by itself, with OpenTelemetry's SDK alone. Copy this file and change it
// as you like.
package plimsoll

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	api "go.opentelemetry.io/otel/trace"
)

var tracer = otel.Tracer("app")

var runKeys = [...]string{"plimsoll.run.id", "plimsoll.task.type", "plimsoll.user.id", "session.id"}

// RunSpanProcessor puts what a run says of itself on every span that begins within it, whichever library begins it.
type RunSpanProcessor struct{}

func (RunSpanProcessor) OnStart(parent context.Context, span trace.ReadWriteSpan) {
	said := baggage.FromContext(parent)
	for _, key := range runKeys {
		if value := said.Member(key).Value(); value != "" {
			span.SetAttributes(attribute.String(key, value))
		}
	}
}
func (RunSpanProcessor) OnEnd(trace.ReadOnlySpan)         {}
func (RunSpanProcessor) Shutdown(context.Context) error   { return nil }
func (RunSpanProcessor) ForceFlush(context.Context) error { return nil }

// StartTracing sends all spans to OTEL_EXPORTER_OTLP_ENDPOINT. Call it once, first, and Shutdown what it returns last.
// The version is the release that Plimsoll judges: change it with the prompt and the model, too.
func StartTracing(ctx context.Context, service, version, environment string) (*trace.TracerProvider, error) {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, err
	}
	said, err := resource.Merge(resource.Default(), resource.NewSchemaless(
		attribute.String("service.name", service),
		attribute.String("service.version", version),
		attribute.String("deployment.environment.name", environment),
	))
	if err != nil {
		return nil, err
	}
	provider := trace.NewTracerProvider(
		trace.WithResource(said),
		trace.WithSpanProcessor(RunSpanProcessor{}),
		trace.WithBatcher(exporter),
	)
	otel.SetTracerProvider(provider)
	return provider, nil
}

// A Task is what an agent was asked to do; all but Agent and RunID may be left out. UserID must not show who it is: send
// a keyed hash. Where a propagator for baggage is set, all ids go along to whatever instrumented clients call, other
// people's services too.
type Task struct{ Agent, RunID, SessionID, UserID, TaskType string }

// Run is one task of an agent, from the request to its end. Set plimsoll.run.outcome on the span that work gets to
// success, failure, escalated or abandoned where you know. Call it again with the same RunID when the task goes on
// later, or elsewhere. Work always runs: of a task, what baggage cannot carry, as it is no UTF-8, is left out. A run
// that panics, or whose goroutine ends, failed.
func Run(ctx context.Context, task Task, work func(context.Context, api.Span) error) error {
	said := baggage.FromContext(ctx)
	for at, value := range [...]string{task.RunID, task.TaskType, task.UserID, task.SessionID} {
		if value == "" {
			continue
		}
		member, err := baggage.NewMemberRaw(runKeys[at], value)
		if err == nil {
			said, err = said.SetMember(member) // unchanged where that fails
		}
		if err != nil {
			otel.Handle(err)
		}
	}
	ctx, span := tracer.Start(baggage.ContextWithBaggage(ctx, said), "invoke_agent "+task.Agent, api.WithAttributes(
		attribute.String("gen_ai.operation.name", "invoke_agent"),
		attribute.String("gen_ai.agent.name", task.Agent),
	))
	defer span.End() // records a panic that it sees
	hasFailed := true
	defer func() {
		if hasFailed {
			span.SetStatus(codes.Error, "")
		}
	}()
	err := work(ctx, span)
	hasFailed = err != nil
	if hasFailed {
		span.RecordError(err)
	}
	return err
}

// HumanGate says that control passes to a human, for a reason: approval, input_request, human_handoff, guardrail, budget
// or other. Say it once when the human is asked, with the state requested, and once with the answer, which may be
// another process's to say: approved, rejected, modified, aborted or timed_out.
func HumanGate(ctx context.Context, reason, state string) {
	_, span := tracer.Start(ctx, "human gate", api.WithAttributes(
		attribute.String("plimsoll.escalation.reason", reason),
		attribute.String("plimsoll.escalation.state", state),
	))
	span.End()
}

// HumanReview is a human who looks at what the agent did, for as long as work takes; role says who it is.
func HumanReview(ctx context.Context, role string, work func(context.Context)) {
	ctx, span := tracer.Start(ctx, "plimsoll.review", api.WithAttributes(attribute.String("plimsoll.reviewer.role", role)))
	defer span.End()
	work(ctx)
}

// Score says how good the work of span was, by an evaluator's name and its own scale.
func Score(span api.Span, name string, value float64, label string) {
	span.AddEvent("gen_ai.evaluation.result", api.WithAttributes(
		attribute.String("gen_ai.evaluation.name", name),
		attribute.Float64("gen_ai.evaluation.score.value", value),
		attribute.String("gen_ai.evaluation.score.label", label),
	))
}
