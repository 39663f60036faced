/**
 * The canonical fields of a span, as ids of a `KeyTable`: what everybody who reads a record asks for, whichever
 * convention its sender follows. `plimsoll.*` keys come first in each. The ids are dense and not stored anywhere:
 * only their names mean something between versions. Conventions may use further ids, from `fieldCount` on.
 */
export const fields = {
  /** What the span means: one of `steps`. */
  step: 0,
  agent: 1,
  tool: 2,
  toolCallId: 3,
  runId: 4,
  sessionId: 5,
  release: 6,
  environment: 7,
  /** Of a tool call: one of `results`. */
  result: 8,
  /** Of the run, said explicitly: one of `outcomes`. */
  outcome: 9,
  /** Who said the outcome: one of `evidenceLevels`. */
  evidence: 10,
  /** Set exactly when the span failed, after escalation and control flow were taken out; only enrichment decides. */
  errorType: 11,
  escalationReason: 12,
  escalationState: 13,
  provider: 14,
  model: 15,
  /** Includes cached tokens. Like every count of tokens, to be added up over `llm` steps only: agents repeat the sum. */
  inputTokens: 16,
  /** Includes reasoning tokens. */
  outputTokens: 17,
  cacheReadTokens: 18,
  cacheWriteTokens: 19,
  reasoningTokens: 20,
  /** US dollars that this span itself cost; what agents repeat of their calls is not in it. */
  costUsd: 21,
  costSource: 22,
  /** The package and version whose prices a computed cost used. */
  priceRevision: 23,
  policyRevision: 24,
  /**
   * Which rule fired: the one that saw an escalation or control flow, else the one that said the step, unless that is
   * `gen_ai.operation.name`, as usual.
   */
  rule: 25,
  /** ISO 4217 code of a reported cost; US dollars when absent. */
  costCurrency: 26,
  /** 1 is the first attempt of a tool call. */
  attempt: 27,
  /** What conventions report a cost to be, in whatever currency and on whatever step. */
  reportedCost: 28,
  /** Whom a handoff passed control to. */
  handoffTarget: 29,
  taskType: 30,
  /** Seconds a human spent on a review. */
  reviewSeconds: 31,
  reviewerRole: 32,
  /** What the sender calls the error, failed or not. */
  senderErrorType: 33,
  /** Who used the agent: a keyed hash once enriched, unless raw ids are kept. */
  userId: 34,
  /** The name of what the span stands for, whatever that is: a tool's on a tool call, an agent's on an agent span. */
  entity: 35,
  /** As `inputTokens`, but without the cached ones. */
  uncachedInputTokens: 36,
  /** A word or a sentence about the error of a span that failed; presence alone is no failure. */
  errorCategory: 37,
  /** Milliseconds that the agent waited for the human. */
  escalationWaitMs: 38,
  /** What an escalation was seen in: one of `escalationSources`. */
  escalationSource: 39,
  /** Something that is equal for equal arguments of a tool call: their hash, else their size. */
  toolArguments: 40,
  /** Why a model stopped. */
  finishReason: 41,
  /** Set on a span that was made of a log record: one of `logOrigins`. */
  log: 42,
  /** The prompt that a log record tells of: its run, where it belongs to no trace. */
  promptId: 43,
  /** How long what a log record tells of took, in milliseconds. */
  durationMs: 44,
  /** The place of a log record among those of its process. */
  eventSequence: 45,
  /** As `reportedCost`, in millionths. */
  reportedCostMicros: 46,
} as const;

/** Name of a canonical field. */
export type FieldName = keyof typeof fields;

/** How many canonical fields there are; their ids are 0 up to here. */
export const fieldCount = Object.keys(fields).length;
