/** Cases of a property test: 200 in `npm test`, 10,000 in `npm run test:deep`. */
export const runs = Number(process.env['PLIMSOLL_TEST_RUNS'] ?? 200);
