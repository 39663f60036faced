import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/core/secret.ts';
import type { KafkaOptions } from '../../src/stream/kafka-options.ts';
import { holder } from '../contract/stream.ts';
import { recordOf } from '../contract/stream-records.ts';
import { KafkaCluster } from '../kafka/broker.ts';
import { ownBrokerMissing } from '../kafka/requires-kafka.ts';
import { until } from '../until.ts';
import { payloads } from './kafka-payloads.ts';
import { kafkaStream, newTopic } from './kafka-place.ts';

const pem = (name: string): string => new URL(`../receiver/tls/${name}`, import.meta.url).pathname;
const passing = new URL('kafka-passing-child.ts', import.meta.url).pathname;
const never = new AbortController().signal;
const soon = (): AbortSignal => AbortSignal.timeout(10_000);
const modules = 'org.apache.kafka.common.security';
const password = new Secret('correct horse');
const tls = { caFile: pem('ca.pem'), certFile: undefined, keyFile: undefined };

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** The property that says how a broker checks those who come with `mechanism`. */
function jaas(mechanism: string): string {
  return `listener.name.client.${mechanism}.sasl.jaas.config`;
}

/** A token of the kind that a broker without an identity provider takes: not signed. */
function token(validMs: number): string {
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ sub: 'plimsoll', iat: now - 10, exp: now + validMs / 1000 })}.`;
}

/** Properties of a broker that has the test certificate. */
function keystore(folder: string): Readonly<Record<string, string>> {
  const file = join(folder, 'keystore.pem');
  writeFileSync(file, readFileSync(pem('server.key.pem'), 'utf8') + readFileSync(pem('server.pem'), 'utf8'));
  return {
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': file,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': pem('ca.pem'),
  };
}

describe.skipIf(ownBrokerMissing())('a broker that wants to know who comes', () => {
  let cluster: KafkaCluster;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'plimsoll-kafka-keys-'));
    cluster = await KafkaCluster.start({
      protocol: 'SASL_SSL',
      scramUsers: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map(
        (mechanism) => `${mechanism}=[name=plimsoll,password=${password.reveal()}]`,
      ),
      properties: {
        ...keystore(folder),
        'sasl.mechanism.inter.broker.protocol': 'PLAIN',
        'connections.max.reauth.ms': 3_600_000, // a session then ends with its token
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
        [jaas('plain')]:
          `${modules}.plain.PlainLoginModule required username="broker" password="broker" user_broker="broker" user_plimsoll="${password.reveal()}";`,
        [jaas('scram-sha-256')]: `${modules}.scram.ScramLoginModule required;`,
        [jaas('scram-sha-512')]: `${modules}.scram.ScramLoginModule required;`,
        [jaas('oauthbearer')]:
          `${modules}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
      },
    });
  });
  afterAll(async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true });
  });

  async function goesThrough(sasl: KafkaOptions['sasl']): Promise<void> {
    const stream = kafkaStream(cluster.addresses, { topic: newTopic(), tls, sasl });
    try {
      await stream.start();
      await stream.consume([recordOf('known')], never);
      expect(await payloads(stream, 0)).toEqual(['known']);
    } finally {
      await stream.stop(soon());
    }
  }

  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)(
    'takes the password by %s, and refuses another',
    async (mechanism) => {
      await goesThrough({ mechanism, username: 'plimsoll', password });
      const wrong = { mechanism, username: 'plimsoll', password: new Secret('wrong') };
      await expect(goesThrough(wrong)).rejects.toThrow(/uthentication failed/);
    },
  );

  test('takes a token from its file, and says when one has expired or is refused', async () => {
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, `${token(60_000)}\n`);
    await goesThrough({ mechanism: 'OAUTHBEARER', tokenFile });
    writeFileSync(tokenFile, token(-60_000));
    const expired = goesThrough({ mechanism: 'OAUTHBEARER', tokenFile });
    await expect(expired).rejects.toThrow(`the token in ${tokenFile} expired at 20`);
    writeFileSync(tokenFile, 'opaque');
    const refused = goesThrough({ mechanism: 'OAUTHBEARER', tokenFile });
    await expect(refused).rejects.toThrow(/the token in .* was refused \(.*invalid_token/);
    const missing = goesThrough({ mechanism: 'OAUTHBEARER', tokenFile: join(folder, 'none') });
    await expect(missing).rejects.toThrow(/no such file or directory, open '.*none'/);
  });

  test('is shown the token of the day when a session ends, and what flows flows on', async () => {
    const tokenFile = join(folder, 'short');
    writeFileSync(tokenFile, token(4000));
    const sasl = { mechanism: 'OAUTHBEARER', tokenFile } as const;
    const stream = kafkaStream(cluster.addresses, { topic: newTopic(), tls, sasl });
    await stream.start();
    let said = 0;
    const renewing = setInterval(() => writeFileSync(tokenFile, token(4000)), 500);
    const claimed = holder(stream, 'store');
    await claimed.consumer.start();
    const endMs = Date.now() + 10_000; // longer than two sessions
    try {
      for (; Date.now() < endMs; said++) await stream.consume([recordOf(String(said))], never);
    } finally {
      clearInterval(renewing);
    }
    writeFileSync(tokenFile, token(60_000));
    expect(claimed.consumer.fault).toBeUndefined();
    expect(await payloads(stream, 0)).toEqual(Array.from({ length: said }, (_, n) => String(n)));
    await stream.stop(soon());
  });

  test('keeps no process alive that stopped, however long its session still is', async () => {
    const tokenFile = join(folder, 'long');
    writeFileSync(tokenFile, token(3_600_000));
    const options = { topic: newTopic(), tls, sasl: { mechanism: 'OAUTHBEARER', tokenFile } };
    const child = spawn(process.execPath, [passing, JSON.stringify(options), ...cluster.addresses], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (text) => (said += String(text)));
    try {
      await until('its end', () => child.exitCode !== null);
      expect([child.exitCode, said]).toEqual([0, 'stopped\n']);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('is not believed when an unknown authority vouches for it', async () => {
    const trusting = { ...tls, caFile: undefined };
    const sasl = { mechanism: 'PLAIN', username: 'plimsoll', password } as const;
    const stream = kafkaStream(cluster.addresses, { topic: newTopic(), tls: trusting, sasl });
    await expect(stream.start()).rejects.toThrow(/can be reached: .*certificate/);
  });
});

describe.skipIf(ownBrokerMissing())('a broker that wants a certificate', () => {
  let cluster: KafkaCluster;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'plimsoll-kafka-keys-'));
    const properties = { ...keystore(folder), 'ssl.client.auth': 'required' };
    cluster = await KafkaCluster.start({ protocol: 'SSL', properties });
  });
  afterAll(async () => {
    await cluster.stop();
    rmSync(folder, { recursive: true });
  });

  test('takes ours, and nobody without one', async () => {
    const own = { ...tls, certFile: pem('client.pem'), keyFile: pem('client.key.pem') };
    const stream = kafkaStream(cluster.addresses, { topic: newTopic(), tls: own });
    await stream.start();
    await stream.consume([recordOf('known')], never);
    expect(await payloads(stream, 0)).toEqual(['known']);
    await stream.stop(soon());
    await expect(kafkaStream(cluster.addresses, { topic: newTopic(), tls }).start()).rejects.toThrow(
      'can be reached: Connection closed',
    );
  });
});
