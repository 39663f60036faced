import { expect, test } from 'vitest';
import { kpiTable, parseSamples } from '../../src/cli/demo-table.ts';

const exposition = `
plimsoll_kpi_window_complete{window="5m"} 1
# HELP plimsoll_kpi_run_success_ratio Runs that succeeded.
plimsoll_kpi_run_success_numerator{window="5m",agent="a",release="1.0"} 3
plimsoll_kpi_run_success_denominator{window="5m",agent="a",release="1.0"} 4
plimsoll_kpi_run_success_denominator{window="1h",agent="a",release="1.0"} 400
plimsoll_kpi_tool_call_success_numerator{window="5m",agent="a",release="1.0",tool="x"} 1
plimsoll_kpi_tool_call_success_denominator{window="5m",agent="a",release="1.0",tool="x"} 1
plimsoll_kpi_tool_call_success_numerator{window="5m",agent="a",release="1.0",tool="y"} 0
plimsoll_kpi_tool_call_success_denominator{window="5m",agent="a",release="1.0",tool="y"} 3
plimsoll_kpi_run_success_numerator{window="5m",agent="b",release="2.0"} 0
plimsoll_kpi_run_success_denominator{window="5m",agent="b",release="2.0"} 0
plimsoll_kpi_run_success_denominator{window="5m",agent="a",release="drill-x-bad",environment="drill:production#x"} 9
`;

test('shows a row for each agent and release of the window, ratios summed over their tools, and none of a drill', () => {
  expect(kpiTable(parseSamples(exposition), '5m').split('\n')).toEqual([
    'agent   release   run success   escalated   tool calls ok   USD per run   runs',
    'a       1.0            75.0 %           -          25.0 %             -      4',
    'b       2.0                 -           -               -             -      -',
  ]);
});

test('reads escaped label values', () => {
  expect(parseSamples('m{agent="say \\"hi\\"\\\\now"} 1e3')).toEqual([
    { name: 'm', labels: { agent: 'say "hi"\\now' }, value: 1000 },
  ]);
});
