/**
 * Moto behind a fault proxy, with a bucket for each test that asks for one. The proxy stands in
 * front of everything: what is asked of S3 is seen.
 */
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { FaultProxy } from '../../../servers/fault-proxy.ts';
import { pass, startFaultProxy } from '../../../servers/fault-proxy.ts';
import type { Moto } from '../../../servers/moto.ts';
import { startMoto, useTestCredentials } from '../../../servers/moto.ts';

/** Installing moto the first time takes a while. */
const startMaxMs = 300_000;

export interface MotoRig {
  readonly moto: Moto;
  readonly proxy: FaultProxy;
  /** Of the tests, past the proxy. */
  readonly client: S3Client;
  /** Where buckets are, through the proxy. */
  readonly place: { readonly endpoint: string; readonly region: string; readonly bucket: string };
}

/**
 * To be called in a `describe`; what it returns is filled before the first test. The proxy hands
 * everything on until a test says otherwise.
 */
export function motoRig(bucket: string): () => MotoRig {
  let rig: MotoRig | undefined;
  beforeAll(async () => {
    useTestCredentials();
    const moto = await startMoto();
    const proxy = await startFaultProxy(moto.endpoint, { keep: true });
    const client = new S3Client({
      endpoint: moto.endpoint,
      region: moto.region,
      forcePathStyle: true,
    });
    rig = { moto, proxy, client, place: { endpoint: proxy.endpoint, region: moto.region, bucket } };
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
  }, startMaxMs);
  beforeEach(() => {
    if (rig === undefined) return;
    rig.proxy.decide = () => pass;
    rig.proxy.asked.length = 0;
  });
  afterAll(async () => {
    rig?.client.destroy();
    await rig?.proxy.close();
    await rig?.moto.stop();
  });
  return () => {
    if (rig === undefined) throw new Error('moto runs');
    return rig;
  };
}
