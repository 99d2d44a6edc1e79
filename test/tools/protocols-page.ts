/**
 * The page docs/reference/protocols.md, made of the list of protocols: `npm run docs:reference`
 * writes it.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { protocols } from '../../ingest/protocols/list.ts';
import type { Protocol } from '../../ingest/protocols/protocol.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

export const protocolsPage: string = join(root, 'docs/reference/protocols.md');

/** A path as the documents write it: `{team}` where the router has `:team`. */
export function documentedPath(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}');
}

function requestsOf(protocol: Protocol): readonly string[] {
  if (protocol.kind === 'body')
    return [
      '`POST /v1/{team}/{app}`',
      ...protocol.match.types.map((type) => `\`Content-Type: ${type}\``),
    ];
  return protocol.match.map(({ path }) => {
    const documented = documentedPath(path);
    const item = protocol.documentation.paths?.[documented] ?? {};
    const methods = Object.keys(item).filter((method) => method !== 'parameters');
    return `\`${methods.join(', ').toUpperCase()} ${documented}\``;
  });
}

function sectionOf(protocol: Protocol): string {
  const { name, summary, limits, conformance } = protocol;
  const bounds = Object.entries(limits).map(([bound, value]) => `| \`${bound}\` | ${value} |`);
  return [
    `## ${name}`,
    '',
    summary,
    '',
    ...requestsOf(protocol).map((request) => `- ${request}`),
    '',
    ...(bounds.length === 0 ? [] : ['| bound | value |', '|---|---|', ...bounds, '']),
    `Cases: ${conformance.map((file) => `\`test/conformance/http/${file}\``).join(', ')}.`,
    '',
  ].join('\n');
}

export function protocolsText(): string {
  return [
    '# Protocols of the ingress',
    '',
    'Generated from `ingest/protocols/list.ts`; `npm run docs:reference` writes it.',
    'A running ingress serves the details as `/openapi.json` and `/asyncapi.json`.',
    '',
    ...protocols.map(sectionOf),
  ].join('\n');
}
