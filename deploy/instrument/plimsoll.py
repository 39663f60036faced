"""What Plimsoll cannot see by itself, said with OpenTelemetry's SDK alone. Copy this file and change it as you like.

pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
"""

from contextlib import contextmanager

from opentelemetry import baggage, context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

tracer = trace.get_tracer("app")

RUN_KEYS = ("plimsoll.run.id", "plimsoll.task.type", "plimsoll.user.id", "session.id")


class RunSpanProcessor(SpanProcessor):
    """Puts what a run says of itself on every span that begins within it, whichever library begins it."""

    def on_start(self, span, parent_context=None):
        for key, value in baggage.get_all(parent_context).items():
            if key in RUN_KEYS:
                span.set_attribute(key, value)


def start_tracing(service, version, environment):
    """Sends all spans to `OTEL_EXPORTER_OTLP_ENDPOINT`. Call it once, first, and `shutdown()` what it returns last.

    `version` is the release that Plimsoll judges: change it with the prompt and the model, too.
    """
    said = {"service.name": service, "service.version": version, "deployment.environment.name": environment}
    provider = TracerProvider(resource=Resource.create(said))
    provider.add_span_processor(RunSpanProcessor())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    return provider


@contextmanager
def run(agent, run_id, session_id=None, user_id=None, task_type=None):
    """One task of an agent, from the request to its end.

    Set `plimsoll.run.outcome` on the span that it gives to `success`, `failure`, `escalated` or `abandoned` where you
    know. Enter it again with the same `run_id` when the task goes on later, or elsewhere. `user_id` must not show who
    it is: send a keyed hash. Where a propagator for baggage is set, as by default, all four go along to whatever
    instrumented clients call, other people's services too.
    """
    inside = context.get_current()
    for key, value in zip(RUN_KEYS, (run_id, task_type, user_id, session_id)):
        if value is not None:
            inside = baggage.set_baggage(key, value, inside)
    token = context.attach(inside)
    try:
        said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": agent}
        with tracer.start_as_current_span(f"invoke_agent {agent}", attributes=said) as span:
            try:
                yield span
            except BaseException as error:
                # The SDK takes care of an Exception; a run that was cancelled or interrupted did not complete either.
                if not isinstance(error, (Exception, GeneratorExit)) and getattr(error, "code", 1):
                    span.set_status(trace.StatusCode.ERROR)
                raise
    finally:
        context.detach(token)


def human_gate(reason, state="requested"):
    """Control passes to a human, for a `reason`.

    Reasons are `approval`, `input_request`, `human_handoff`, `guardrail`, `budget` and `other`. Say it once when the
    human is asked, and once with the answer, which may be another process's to say: `approved`, `rejected`,
    `modified`, `aborted` or `timed_out`.
    """
    said = {"plimsoll.escalation.reason": reason, "plimsoll.escalation.state": state}
    tracer.start_span("human gate", attributes=said).end()


def human_review(role):
    """A human looks at what the agent did, for as long as this is open; `role` says who it is."""
    return tracer.start_as_current_span("plimsoll.review", attributes={"plimsoll.reviewer.role": role})


def score(span, name, value, label):
    """How good the work of `span` was, by an evaluator's name and its own scale."""
    said = {"name": name, "score.value": value, "score.label": label}
    span.add_event("gen_ai.evaluation.result", {f"gen_ai.evaluation.{key}": what for key, what in said.items()})
