/**
 * `compute`, whose answers are remembered by text. Texts are the sender's, so all is forgotten when there are
 * `limit` of them: right answers never depend on what is remembered.
 */
export function remembered<T>(compute: (text: string) => T, limit = 4096): (text: string) => T {
  const answers = new Map<string, T>();
  return (text) => {
    const known = answers.get(text);
    if (known !== undefined) return known;
    if (answers.size >= limit) answers.clear();
    const answer = compute(text);
    answers.set(text, answer);
    return answer;
  };
}
