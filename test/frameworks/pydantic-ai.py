import asyncio

from plimsoll import human_gate, run
from pydantic_ai import (
    Agent,
    ApprovalRequired,
    DeferredToolRequests,
    DeferredToolResults,
    ModelRetry,
    RunContext,
    Tool,
    ToolDenied,
    capture_run_messages,
)
from pydantic_ai.models.openai import OpenAIChatModel
from scenarios import called, count, finish, flaky, lookup_order, scenario, unsteady_with

Agent.instrument_all()


def payout(context: RunContext, order: str) -> str:
    if not context.tool_call_approved:
        raise ApprovalRequired()
    called("payout", "ok")
    return "paid out"


def refund(order: str) -> str:
    called("refund", "ok")
    return "refunded"


async def ask_billing(order: str) -> str:
    """Another agent does it, and its calls are part of this one."""
    result = await billing.run("scenario billing")
    count(result.usage.input_tokens, result.usage.output_tokens)
    called("ask_billing", "ok")
    return result.output


model = OpenAIChatModel("gpt-4o-mini")
billing = Agent(model, name="billing", tools=[lookup_order])
clerk = Agent(
    model,
    name="clerk",
    tools=[lookup_order, flaky, unsteady_with(ModelRetry("try again")), ask_billing, payout, Tool(refund, requires_approval=True)],
    output_type=[str, DeferredToolRequests],
)


async def ask(*prompt, **more):
    """One run of the agent; adds what it did to the scenario."""
    result = await clerk.run(*prompt, **more)
    count(result.usage.input_tokens, result.usage.output_tokens)
    return result


def answered(asked, state):
    [call] = asked.output.approvals
    answer = True if state == "approved" else ToolDenied("no")
    return {
        "message_history": asked.all_messages(),
        "deferred_tool_results": DeferredToolResults(approvals={call.tool_call_id: answer}),
    }


async def main():
    for name in ("tool-success", "retry", "delegation"):
        known = scenario(name)
        await ask(f"scenario {name}")
        known["runs"].append("completed")

    # An exception of a tool ends the run, and what becomes of calls beside it is a matter of chance; only a ModelRetry is
    # told to the model.
    for name in ("tool-failure", "model-failure"):
        known = scenario(name)
        with capture_run_messages() as messages:
            try:
                await ask(f"scenario {name}")
            except Exception:
                known["runs"].append("failure")
        for message in messages:
            if message.kind == "response":
                count(message.usage.input_tokens, message.usage.output_tokens)

    for state in ("approved", "rejected"):
        # Where the tool is declared to need an approval, the question leaves no trace; where it raises, it does.
        for name in ("approval", "deferral"):
            known = scenario(f"untold-{name}-{state}")
            await ask(**answered(await ask(f"scenario {name}"), state))
            known["escalations"] += ["approval requested"] if name == "deferral" else []
            known["runs"] += ["escalated", "completed"]
            known["escalatedRuns"].append("approval")

        known = scenario(f"told-{state}")
        known["session"] = f"given-{state}"
        task = {"agent": "clerk", "run_id": f"pydantic-ai-{state}", "session_id": known["session"]}
        with run(**task):
            asked = await ask("scenario approval")
            human_gate("approval")
        with run(**task) as span:
            human_gate("approval", state)
            await ask(**answered(asked, state))
            span.set_attribute("plimsoll.run.outcome", "success" if state == "approved" else "failure")
        known["escalations"] += ["approval requested", f"approval {state}"]
        known["runs"].append("success" if state == "approved" else "failure")
        known["escalatedRuns"].append("approval")


asyncio.run(main())
finish("clerk")
