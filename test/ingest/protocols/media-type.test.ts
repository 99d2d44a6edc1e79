/**
 * What a body is by its Content-Type, and the byte-order mark before it.
 */
import { describe, expect, it } from 'vitest';
import { withoutMark } from '../../../ingest/event/byte-order-mark.ts';
import { isJsonType, jsonTypePattern } from '../../../ingest/event/media-type.ts';
import { isRefusal } from '../../../ingest/event/refusal.ts';
import { matchBody } from '../../../ingest/protocols/list.ts';

const code = (contentType: string, ce?: []): unknown => {
  const matched = matchBody(contentType, ce);
  return isRefusal(matched) ? matched.code : matched.name;
};

describe('a Content-Type', () => {
  it.each([
    '',
    'application/json',
    'Application/JSON',
    'application/json;charset=utf-8',
    'application/json; charset=utf-8',
    'application/json ; charset="UTF-8"',
    'application/json;CharSet=Utf-8;',
    'application/json; charset="ut\\f-8"',
    'application/json; charset=utf8',
    'application/json; charset=us-ascii',
    'application/json; profile="a;charset=utf-16"; charset=utf-8',
    'application/json; profile="a\\";charset=utf-16"',
    // Written by many clients, and no charset by any reading.
    'application/json; utf-8',
    'application/json; charset',
    'application/json;;',
    'text/json',
    'text/plain',
    'text/plain;charset=UTF-8',
    'application/vnd.api+json',
    'application/ld+json',
    'application/problem+json; charset=utf-8',
    'application/vnd.example.order.v2+json;version=1',
    'application/csp-report',
    'application/reports+json',
    'application/expect-ct-report+json',
    'model/gltf+json',
    'image/x.thing+json',
  ])('of JSON is read as JSON: %s', (contentType) => {
    expect(code(contentType)).toBe('json');
  });

  it.each([
    ['application/x-ndjson', 'ndjson'],
    ['application/x-ndjson; charset=UTF-8', 'ndjson'],
    ['application/jsonlines', 'ndjson'],
    ['application/cloudevents+json; charset=UTF-8', 'cloudevents-structured'],
    ['application/CloudEvents-Batch+json', 'cloudevents-batched'],
  ])('of several events is known: %s', (contentType, kind) => {
    expect(code(contentType)).toBe(kind);
  });

  it.each([
    'application/json; charset=utf-16',
    'application/json;charset="UTF-16LE"',
    'application/json; charset=iso-8859-1',
    'application/json; charset=',
    'application/json; charset=utf-8; charset=utf-16',
    'application/json; profile=x; CHARSET=latin1',
    'application/vnd.api+json; charset=utf-32',
    'application/x-ndjson; charset=utf-16',
    'application/cloudevents+json; charset=utf-16',
    'text/plain; charset=windows-1252',
  ])('with another charset is refused: %s', (contentType) => {
    expect(code(contentType)).toBe('charset-unknown');
  });

  it.each([
    'text/html',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/octet-stream',
    'application/xml',
    'application/json-seq',
    'application/geo+json-seq',
    'application/json5',
    'application/cloudevents+avro',
    'application/cloudevents-x+json',
    'application/json, text/html',
    'application/json text/html',
    '+json',
    '/+json',
    'application/+json',
    'a/b/c+json',
    'application/a b+json',
    'json',
    '; charset=utf-8',
    '__proto__',
    'constructor',
  ])('of anything else is refused: %s', (contentType) => {
    expect(code(contentType)).toBe('content-type-unknown');
  });

  it('is that of the data where the request is a CloudEvent in binary mode', () => {
    expect([
      code('application/json', []),
      code('text/html', []),
      code('application/json; charset=utf-16', []),
    ]).toEqual(['cloudevents-binary', 'cloudevents-binary', 'charset-unknown']);
    expect([
      code('application/cloudevents+json', []),
      code('application/cloudevents+avro', []),
    ]).toEqual(['cloudevents-structured', 'content-type-unknown']);
  });

  it('of JSON data is what the served documents say', () => {
    const documented = new RegExp(jsonTypePattern);
    for (const type of [
      'application/json',
      'text/json',
      'application/vnd.a.b-c+json',
      'image/svg.x+json',
    ])
      expect([isJsonType(type), documented.test(type)]).toEqual([true, true]);
    for (const type of [
      'text/plain',
      'application/x-ndjson',
      'json',
      'application/+json',
      'application/json-seq',
    ])
      expect([isJsonType(type), documented.test(type)]).toEqual([false, false]);
  });
});

describe('a byte-order mark', () => {
  it('is dropped at the start, once', () => {
    expect(withoutMark(Buffer.from('\uFEFF{}')).toString()).toBe('{}');
    expect(withoutMark(Buffer.from('\uFEFF\uFEFF{}'))).toHaveLength(5);
    for (const text of ['', '{}', '"\uFEFF"', ' \uFEFF{}'])
      expect(withoutMark(Buffer.from(text)).toString()).toBe(text);
    expect(withoutMark(Buffer.from([0xef, 0xbb]))).toHaveLength(2);
  });
});
