from opentelemetry import trace
from plimsoll import human_gate, human_review, run, score, start_tracing

provider = start_tracing("shop", "1.4.0", "staging")

library = trace.get_tracer("library")


def call_tool():
    """What a library does, which knows nothing of runs."""
    said = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"}
    library.start_span("execute_tool lookup", attributes=said).end()


task = {
    "agent": "clerk",
    "run_id": "run-1",
    "session_id": "session-1",
    "user_id": "user-hash",
    "task_type": "refund",
}
with run(**task):
    call_tool()
    human_gate("approval")
with run(**task) as span:
    human_gate("approval", "approved")
    with human_review("lawyer"):
        call_tool()
    score(span, "helpfulness", 0.8, "good")
    span.set_attribute("plimsoll.run.outcome", "success")

try:
    with run("clerk", "run-2"):
        raise TypeError("no such order")
except TypeError:
    pass

try:
    with run("clerk", "run-3"):
        raise KeyboardInterrupt
except KeyboardInterrupt:
    pass

call_tool()
provider.shutdown()
print("{}")
