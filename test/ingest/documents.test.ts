/**
 * The served documents: valid by the validators of their specifications, and true of the answers.
 */
import asyncapi from '@asyncapi/specs' with { type: 'json' };
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import type { Rig } from './support.ts';
import { post, rig } from './support.ts';

let made: Rig;
beforeEach(async () => {
  made = await rig();
});
afterEach(async () => {
  await made.ingress.drain();
});

type Document = Record<string, unknown> & {
  readonly components: { readonly schemas: Record<string, object> };
  readonly paths: Record<string, Record<string, unknown>>;
};
const served = async (name: string): Promise<Document> =>
  JSON.parse((await post(`${made.ingress.url}/${name}.json`, '', {}, 'GET')).text) as Document;

/** A check of a value against one of a document's schemas. */
function checkerOf(document: Document): (name: string, value: unknown) => string {
  const ajv = new Ajv2020({ strict: false, validateFormats: true });
  (addFormats as unknown as { default: (to: Ajv2020) => void }).default(ajv);
  ajv.addSchema({ $id: 'document:/', ...document });
  return (name, value) => {
    const check = ajv.getSchema(`document:/#/components/schemas/${name}`);
    if (check === undefined) throw new Error(`there is no schema ${name}`);
    return check(value) === true ? 'valid' : ajv.errorsText(check.errors);
  };
}

it('/openapi.json is OpenAPI 3.1', async () => {
  const document = await served('openapi');
  expect(document['openapi']).toBe('3.1.0');
  expect(await new Validator().validate(structuredClone(document))).toEqual({ valid: true });
  const broken = { ...document, paths: { '/x': { post: { responses: { 200: {} } } } } };
  expect((await new Validator().validate(broken)).valid).toBe(false);
});

it('/asyncapi.json is AsyncAPI 3.0', async () => {
  const document = await served('asyncapi');
  expect(document['asyncapi']).toBe('3.0.0');
  const schema = (asyncapi as unknown as { schemas: Record<string, object> }).schemas['3.0.0'] as object;
  const ajv = new Ajv({ strict: false, logger: false, validateFormats: false, meta: false, validateSchema: false });
  const check = ajv.compile(schema);
  expect([check(document), check.errors ?? []]).toEqual([true, []]);
  expect(check({ ...document, channels: { events: { address: 7 } } })).toBe(false);
});

it('answers are what the documents say', async () => {
  const check = checkerOf(await served('openapi'));
  const url = `${made.ingress.url}/v1/a/plain`;
  const answers: [string, unknown][] = [
    ['Taken', (await post(url, '1', { 'x-event-id': 'e' })).json],
    ['Taken', (await post(url, '1', { 'x-event-id': 'e' })).json],
    ['Batch', (await post(url, '[1,2]')).json],
    ['Batch', (await post(url, '[1,[2]]')).json],
    ['Refused', (await post(url, '{')).json],
    ['Refused', (await post(`${made.ingress.url}/v1/a/nothing`, '1')).json],
    ['Refused', (await post(url, '', {}, 'PUT')).json],
    ['Warnings', (await post(`${url}/warnings`, '', {}, 'GET')).json],
  ];
  expect(answers.map(([name, value]) => `${name} ${check(name, value)}`)).toEqual(answers.map(([name]) => `${name} valid`));
  expect(check('Taken', { id: 1 })).not.toBe('valid');
});

it('frames are what the documents say', async () => {
  const check = checkerOf(await served('asyncapi'));
  const socket = new WebSocket(`${made.ingress.url.replace('http', 'ws')}/v1/a/plain/ws`);
  const frames = await new Promise<unknown[]>((resolve) => {
    const got: unknown[] = [];
    socket.once('open', () => {
      for (const frame of ['{"ref":1,"data":1}', '{"ref":"two"}', 'no json']) socket.send(frame);
    });
    socket.on('message', (message: Buffer) => {
      if (got.push(JSON.parse(message.toString())) === 4) resolve(got);
    });
  });
  socket.close();
  expect(frames.map((frame, index) => check(index === 0 ? 'Hello' : 'Acknowledgement', frame))).toEqual([
    'valid',
    'valid',
    'valid',
    'valid',
  ]);
});
