import { Cluster } from './kafka-cluster.ts';
import { faultText, isClientFault } from './kafka-fault.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { inspectTopic } from './kafka-topic.ts';

/**
 * Connects to the brokers of `options`, and says how their topic is and what is wrong with it, each as one sentence with
 * the fix. Changes nothing. Throws one sentence when they cannot be asked.
 */
export async function probeTopic(
  options: KafkaOptions,
): Promise<{ readonly state: string; readonly faults: readonly string[] }> {
  const cluster = new Cluster(options);
  try {
    cluster.open();
    return await inspectTopic(cluster, options);
  } catch (error) {
    if (!isClientFault(error)) throw error;
    throw new Error(`the topic ${options.topic} cannot be asked for: ${faultText(error)}`, { cause: error });
  } finally {
    cluster.close();
  }
}
