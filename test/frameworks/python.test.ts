import { testAgents } from './agents-at-work.ts';
import { python } from './packages.ts';
import { runPython } from './script.ts';

const agents = [['pydantic-ai'], ['langgraph-langsmith', 'short'], ['langgraph-langsmith', 'long']];

testAgents(python, agents, async (script, words, environment) => {
  const files = [`${script}.py`, 'scenarios.py'].map((file) => `test/frameworks/${file}`);
  return runPython([...files, 'deploy/instrument/plimsoll.py'], words, {
    ...environment,
    LANGSMITH_TRACING: 'true',
    LANGSMITH_TRACING_MODE: 'otel',
    LANGSMITH_API_KEY: 'none',
  });
});
