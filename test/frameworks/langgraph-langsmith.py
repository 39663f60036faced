import sys
from functools import wraps
from typing import Annotated

from langchain_core.messages import ToolMessage
from langchain_core.tools import InjectedToolCallId, StructuredTool, tool
from langchain_core.tracers.langchain import wait_for_all_tracers
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import MemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode, create_react_agent
from langgraph.types import Command, interrupt
from scenarios import called, count, finish, flaky, lookup_order, scenario, unsteady_with


def last():
    """In a long run the spans around have been begun by now; in a short one they are begun and ended at once."""
    if sys.argv[2] == "long":
        wait_for_all_tracers()


def lasting(function):
    @wraps(function)
    def lasts(order: str) -> str:
        last()
        return function(order)

    return lasts


@tool
def refund(order: str) -> str:
    """Stops the graph until a human has answered, and ends well whatever the answer."""
    last()
    answer = interrupt("refund?")
    called("refund", "ok")
    return answer


@tool
def transfer_to_billing(
    order: str, state: Annotated[dict, InjectedState], call: Annotated[str, InjectedToolCallId]
) -> Command:
    """Hands on."""
    moved = ToolMessage("moved", tool_call_id=call)
    return Command(goto="billing", graph=Command.PARENT, update={"messages": [*state["messages"], moved]})


def prompt(state):
    last()
    return state["messages"]


def agent(name, more):
    own = [StructuredTool.from_function(lasting(f)) for f in (lookup_order, flaky, unsteady_with(ValueError("try again")))]
    tools = ToolNode([*own, *more], handle_tool_errors=True)
    return create_react_agent(ChatOpenAI(model="gpt-4o-mini", max_retries=0), tools, name=name, prompt=prompt)


graph = (
    StateGraph(MessagesState)
    .add_node("clerk", agent("clerk", [refund, transfer_to_billing]))
    .add_node("billing", agent("billing", []))
    .add_edge(START, "clerk")
    .compile(checkpointer=MemorySaver(), name="support")
)


def ask(thread, given):
    """One run of the graph on a thread; adds what it did to the scenario."""
    config = {"configurable": {"thread_id": thread}}
    before = len(graph.get_state(config).values.get("messages", []))
    try:
        messages = graph.invoke(given, config)["messages"]
    finally:
        # Spans begin in a thread of LangSmith's own, some time after what they are of.
        wait_for_all_tracers()
    for message in messages[before:]:
        usage = getattr(message, "usage_metadata", None)
        if usage:
            count(usage["input_tokens"], usage["output_tokens"])


def begin(name):
    return {"messages": [{"role": "user", "content": f"scenario {name}"}]}


for name in ("tool-success", "tool-failure", "retry", "parallel", "handoff"):
    known = scenario(name)
    ask(name, begin(name))
    known["handoffs"] += ["billing"] if name == "handoff" else []
    known["runs"].append("completed")

known = scenario("model-failure")
try:
    ask("model-failure", begin("model-failure"))
except Exception:
    known["runs"].append("failure")

# There is no scenario of a run that says its id: LangSmith begins the spans in a thread of its own, without baggage.
for state in ("approved", "rejected"):
    # An interrupt is thrown, by the tool and by all that is around it.
    known = scenario(f"untold-{state}")
    ask(f"thread-{state}", begin("approval"))
    ask(f"thread-{state}", Command(resume=state))
    known["escalations"].append("input_request requested")
    known["runs"] += ["escalated", "completed"]
    known["escalatedRuns"].append("input_request")

finish(sys.argv[1])
