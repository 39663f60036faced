import type { ListenAddress } from '../core/listen.ts';
import { readFile } from 'node:fs/promises';

/** PEM files. `clientCaFile` demands a certificate of every client, signed by one of its authorities (mTLS). */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile?: string | undefined;
}

/** Where a receiver listens. */
export interface Listener {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly tls?: TlsFiles | undefined;
  /** The path of this listener in the config, such as `receivers::otlp::protocols::grpc`, for errors. */
  readonly configPath: string;
}

/** What `node:tls` servers take. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  readonly minVersion: 'TLSv1.2';
}

async function readPem(path: string, configPath: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new Error(`${configPath}: cannot read ${path}: give a PEM file this user may read`, {
      cause: error,
    });
  }
}

/** Reads the PEM files of `listener`; undefined without TLS. Rejects with a sentence naming the file and the config key. */
export async function readTls(listener: Listener): Promise<TlsMaterial | undefined> {
  const { tls, configPath } = listener;
  if (tls === undefined) return undefined;
  const [cert, key, ca] = await Promise.all([
    readPem(tls.certFile, `${configPath}::tls::cert_file`),
    readPem(tls.keyFile, `${configPath}::tls::key_file`),
    tls.clientCaFile === undefined
      ? undefined
      : readPem(tls.clientCaFile, `${configPath}::tls::client_ca_file`),
  ]);
  const mutual = ca !== undefined;
  return {
    cert,
    key,
    ...(ca && { ca }),
    requestCert: mutual,
    rejectUnauthorized: mutual,
    minVersion: 'TLSv1.2',
  };
}

/** The address of `listener` and the path that sets it. */
export function endpointOf({ host, port, configPath }: Listener): ListenAddress {
  return { host, port, configPath: `${configPath}::endpoint` };
}
