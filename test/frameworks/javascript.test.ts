import { testAgents } from './agents-at-work.ts';
import { nodeModules } from './packages.ts';
import { runNode } from './script.ts';

const agents = [
  ['ai-sdk'],
  ['openai-agents', 'chat_completions'],
  ['openai-agents', 'responses'],
  ['langgraph'],
];

testAgents(nodeModules, agents, async (script, words, environment) => {
  const files = [`${script}.mjs`, 'scenarios.mjs'].map((file) => `test/frameworks/${file}`);
  return runNode([...files, 'deploy/instrument/plimsoll.mjs'], words, environment);
});
