/** Cases of a property test: 500 in `npm test`, 10,000 in `npm run test:deep`. */
export const runs = Number(process.env['PLIMSOLL_TEST_RUNS'] ?? 500);
