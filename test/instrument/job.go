package main

import (
	"context"
	"errors"
	"fmt"

	"example.com/job/plimsoll"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

// callTool is what a library does, which knows nothing of runs.
func callTool(ctx context.Context) {
	_, span := otel.Tracer("library").Start(ctx, "execute_tool lookup", trace.WithAttributes(
		attribute.String("gen_ai.operation.name", "execute_tool"),
		attribute.String("gen_ai.tool.name", "lookup"),
	))
	span.End()
}

func job(ctx context.Context) error {
	provider, err := plimsoll.StartTracing(ctx, "shop", "1.4.0", "staging")
	if err != nil {
		return err
	}
	task := plimsoll.Task{
		Agent: "clerk", RunID: "run-1", SessionID: "session-1", UserID: "user-hash", TaskType: "refund",
	}
	asked := plimsoll.Run(ctx, task, func(ctx context.Context, _ trace.Span) error {
		callTool(ctx)
		plimsoll.HumanGate(ctx, "approval", "requested")
		return nil
	})
	answered := plimsoll.Run(ctx, task, func(ctx context.Context, span trace.Span) error {
		plimsoll.HumanGate(ctx, "approval", "approved")
		plimsoll.HumanReview(ctx, "lawyer", callTool)
		plimsoll.Score(span, "helpfulness", 0.8, "good")
		span.SetAttributes(attribute.String("plimsoll.run.outcome", "success"))
		return nil
	})
	failed := plimsoll.Run(ctx, plimsoll.Task{Agent: "clerk", RunID: "run-2"}, func(context.Context, trace.Span) error {
		return errors.New("no such order")
	})
	if failed == nil {
		return errors.New("the run lost its error")
	}
	if hasRun := panics(ctx); !hasRun {
		return errors.New("the run did not begin, or lost its panic")
	}
	callTool(ctx)
	return errors.Join(asked, answered, provider.Shutdown(ctx))
}

// panics is a run with a session that is no UTF-8, in which something breaks; whether that went as it must.
func panics(ctx context.Context) (hasRun bool) {
	defer func() {
		hasRun = recover() == "broken"
	}()
	task := plimsoll.Task{Agent: "clerk", RunID: "run-3", SessionID: "\xff"}
	return plimsoll.Run(ctx, task, func(context.Context, trace.Span) error { panic("broken") }) != nil
}

func main() {
	if err := job(context.Background()); err != nil {
		panic(err)
	}
	fmt.Println("{}")
}
