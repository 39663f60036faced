import type { Convention } from './convention.ts';

/**
 * CrewAI's own telemetry, scope `crewai.telemetry`. It says no tokens, and a failed tool call is a span of another
 * name. A repeated usage was refused by the crew: no call.
 */
export const crewAi: Convention = {
  name: 'crewai',
  sources: [
    { field: 'tool', key: 'tool_name' },
    { field: 'attempt', key: 'attempts' },
  ],
  signals: [],
  namedSteps: [
    { name: 'Tool Usage', match: 'whole', step: 'tool' },
    { name: 'Tool Usage Error', match: 'whole', step: 'tool', failed: true },
    { name: 'Tool Repeated Usage', match: 'whole', step: 'other' },
  ],
  content: [
    'crew_agents',
    'crew_tasks',
    'crew_inputs',
    'crew_output',
    'formatted_description',
    'formatted_expected_output',
    'task_output',
    'agents_data',
    'tasks_data',
  ],
};
