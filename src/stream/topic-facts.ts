import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { Fact } from './group-commit.ts';
import type { LogFile } from './log-file.ts';

const topicFact = z.object({ id: z.string(), partitions: z.int() });

const progressFact = z.object({ start: z.int(), end: z.int(), spans: z.int() });
/** How far a partition goes, and how many spans were ever appended to it. */
export type Progress = z.infer<typeof progressFact>;

const committedFact = z
  .object({
    position: z.object({ offset: z.int(), index: z.int() }),
    metadata: z.string(),
    marks: z.array(z.object({ timeMs: z.number(), offset: z.int() })).readonly(),
  })
  .optional();
/** What a group committed of a partition, and when. */
export type Committed = z.infer<typeof committedFact>;

/**
 * The id of a topic, made when it is new. Throws an Error that names the fix when it has another number of partitions
 * than `partitions`.
 */
export function topicId(file: LogFile, topic: string, partitions: number): string {
  const key = ['topic', topic];
  const found = topicFact.optional().parse(file.fact(key));
  if (found === undefined) {
    const id = randomBytes(8).toString('hex');
    file.putFact({ key, value: { id, partitions } });
    return id;
  }
  if (found.partitions === partitions) return found.id;
  throw new Error(
    `the topic ${topic} in ${file.directory} has ${found.partitions} partitions and the configuration says ${partitions}: a trace stays on its partition, so set ${found.partitions}, or start anew in another folder`,
  );
}

/** The progress of a partition, as the file has it. */
export function progressOf(file: LogFile, topic: string, partition: number): Fact<Progress> {
  const nothing = progressFact.default({ start: 0, end: 0, spans: 0 });
  return factOf(file, ['partition', topic, String(partition)], nothing);
}

/** What a group has committed of a partition, as the file has it. */
export function committedOf(file: LogFile, topic: string, group: string, partition: number): Fact<Committed> {
  return factOf(file, ['commit', topic, group, String(partition)], committedFact);
}

function factOf<T>(file: LogFile, key: string[], schema: z.ZodType<T>): Fact<T> {
  return new Fact(key, schema.parse(file.fact(key)));
}
