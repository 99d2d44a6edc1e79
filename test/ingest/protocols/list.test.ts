/**
 * The list of protocols keeps what its interface promises: each matches its own requests, is
 * documented, bounded, and held by cases; the page of the documentation is made of it. And what the
 * served documents said of each part they still say, byte for byte: a change to one of them is a
 * change of the API, to be seen in pinned.ts.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { asyncapiText, openapiText } from '../../../ingest/documents/documents.ts';
import { bodies, endpoints, protocols } from '../../../ingest/protocols/list.ts';
import { root } from '../../repo/support.ts';
import { documentedPath, protocolsPage, protocolsText } from '../../tools/protocols-page.ts';
import { pinnedParts } from './pinned.ts';

type Node = Readonly<Record<string, unknown>>;

describe('the protocols', () => {
  it('have names of their own', () => {
    const names = protocols.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z]+(-[a-z]+)*$/);
  });

  it('match no request that another matches', () => {
    const types = bodies.flatMap(({ match }) => [...match.types, ...(match.common ?? [])]);
    const paths = endpoints.flatMap(({ match }) => match.map(({ path }) => path));
    expect(new Set(types).size).toBe(types.length);
    expect(new Set(paths).size).toBe(paths.length);
    expect(paths.length).toBeGreaterThan(15);
  });

  it.each(protocols)('$name is held by cases of test/conformance/http', ({ conformance }) => {
    expect(conformance.length).toBeGreaterThan(0);
    for (const file of conformance)
      expect(existsSync(join(root, 'test/conformance/http', file))).toBe(true);
  });

  it.each(protocols)('$name has bounds that are numbers with their unit', ({ limits }) => {
    for (const [name, value] of Object.entries(limits)) {
      expect(value).toBeGreaterThan(0);
      expect(name).toMatch(/(Max|Bytes|Events|Seconds|PerMinute|Ms)$/);
    }
  });

  it.each(endpoints)('$name documents the paths that it matches, and no other', (protocol) => {
    expect(protocol.match.map(({ path }) => documentedPath(path)).toSorted()).toEqual(
      Object.keys(protocol.documentation.paths ?? {}).toSorted(),
    );
  });

  it.each(bodies)('$name documents its body where it has a type of its own', (protocol) => {
    expect(protocol.documentation.body !== undefined).toBe(protocol.match.types.length > 0);
  });

  it('are on the page of the documentation (npm run docs:reference writes it)', () => {
    expect(readFileSync(protocolsPage, 'utf8')).toBe(protocolsText());
  });
});

/** The parts of both documents by name; a media type of `send` is a part of its own. */
function partsOf(openapi: Node, asyncapi: Node): Readonly<Record<string, unknown>> {
  const { paths, components, ...rest } = openapi as {
    readonly paths: Readonly<Record<string, Node>>;
    readonly components: { readonly schemas: Node; readonly securitySchemes: Node };
  };
  const send = paths['/v1/{team}/{app}'] as { readonly post: Node };
  const { requestBody, ...post } = send.post as {
    readonly requestBody: { readonly content: Node };
  };
  const { content, ...body } = requestBody;
  const named = (kind: string, nodes: Node): readonly (readonly [string, unknown])[] =>
    Object.entries(nodes).map(([name, node]) => [`${kind} ${name}`, node]);
  return Object.fromEntries([
    ['openapi', rest],
    ['asyncapi', asyncapi],
    ...named('path', { ...paths, '/v1/{team}/{app}': { ...send, post: { ...post, ...body } } }),
    ...named('type', content),
    ...named('schema', components.schemas),
    ...named('security', components.securitySchemes),
  ]);
}

const digestOf = (node: unknown): string =>
  createHash('sha256').update(JSON.stringify(node)).digest('hex').slice(0, 16);

describe('the served documents', () => {
  const found = partsOf(JSON.parse(openapiText) as Node, JSON.parse(asyncapiText) as Node);

  it.each(Object.entries(pinnedParts))('say the same of %s', (name, digest) => {
    expect(digestOf(found[name])).toBe(digest);
  });

  it('have their parts in the same order, new ones between them', () => {
    const known = Object.keys(found).filter((name) => name in pinnedParts);
    expect(known).toEqual(Object.keys(pinnedParts));
    expect(known.length).toBeGreaterThan(60);
  });

  it('a part that changes is found', () => {
    expect(digestOf({ ...(found['schema Taken'] as Node), type: 'array' })).not.toBe(
      pinnedParts['schema Taken'],
    );
  });
});
