/**
 * API Gateway: there only where the stage wants it, and an authorizer that says of each key what the
 * ingress says.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Match } from 'aws-cdk-lib/assertions';
import { expect, it, onTestFinished } from 'vitest';
import { createAccess, refuseStream } from '../../../dist/ingest/access/access.js';
import { systemClock } from '../../../dist/schemas/kernel/clock.js';
import { loadDeployment } from '../src/load-deployment.ts';
import { minimalConfig, minimalStage, synthesize, withFiles } from './support.ts';

const sha256 = (key: string): string => createHash('sha256').update(key).digest('hex');
const keyed = `${minimalConfig}keys:
  - {name: one, sha256: ${sha256('slc_one')}, streams: [shop/clicks]}
  - {name: team, sha256: ${sha256('slc_team')}, streams: ['shop/*']}
  - {name: all, sha256: ${sha256('slc_all')}, streams: ['*/*']}
`;
const gateway = `${minimalStage}edge: {api_gateway: true, api_requests_per_second: 700}\n`;

it('passes the checks; its answers are kept by key and path; only POST of one stream goes in', async () => {
  const made = await synthesize({ stage: gateway, config: keyed });
  expect(made.findings).toEqual([]);
  const edge = made.template('edge');
  edge.hasResourceProperties('AWS::ApiGatewayV2::Authorizer', {
    IdentitySource: ['$request.header.Authorization', '$context.path'],
    EnableSimpleResponses: true,
    AuthorizerResultTtlInSeconds: 300,
  });
  edge.resourceCountIs('AWS::ApiGatewayV2::Route', 1);
  edge.hasResourceProperties('AWS::ApiGatewayV2::Route', {
    RouteKey: 'POST /v1/{team}/{app}',
    AuthorizationType: 'CUSTOM',
  });
  edge.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
    DefaultRouteSettings: Match.objectLike({ ThrottlingRateLimit: 700 }),
    AccessLogSettings: Match.anyValue(),
  });
});

it('without keys, API Gateway is refused: it would let nobody through', async () => {
  await expect(withFiles({ stage: gateway }, loadDeployment)).rejects.toThrow(
    /sluice\.yaml: keys: there are none, and API Gateway would refuse everybody/,
  );
});

type Handler = (event: object) => Promise<{ readonly isAuthorized: boolean }>;

/** The authorizer as it is deployed, beside its keys. */
async function authorizerOf(known: object): Promise<Handler> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-authorize-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const source = fileURLToPath(new URL('../lambda/authorize.mjs', import.meta.url));
  copyFileSync(source, join(folder, 'authorize.mjs'));
  writeFileSync(join(folder, 'keys.json'), JSON.stringify(known));
  const { handler } = (await import(pathToFileURL(join(folder, 'authorize.mjs')).href)) as {
    readonly handler: Handler;
  };
  return handler;
}

it('the authorizer says of each key and stream what the ingress says', async () => {
  const { config } = await withFiles({ config: keyed }, loadDeployment);
  const { keys } = config.access;
  const handler = await authorizerOf({ keys, tokens: false });
  const access = createAccess(config.access, { clock: systemClock } as Parameters<
    typeof createAccess
  >[1]);
  const said = { yes: 0, no: 0 };
  for (const authorization of ['slc_one', 'slc_team', 'slc_all', 'slc_none', ''].map(
    (key) => `Bearer ${key}`,
  ))
    for (const stream of ['shop/clicks', 'shop/orders', 'other/clicks']) {
      const [team, app] = stream.split('/');
      const { isAuthorized } = await handler({
        headers: { authorization },
        pathParameters: { team, app },
      });
      const grant = await access.identify({ authorization, apiKey: '', queryKey: '', origin: '' });
      const isAllowed = !('status' in grant) && refuseStream(grant, stream) === undefined;
      expect([authorization, stream, isAuthorized]).toEqual([authorization, stream, isAllowed]);
      said[isAuthorized ? 'yes' : 'no']++;
    }
  expect(said).toEqual({ yes: 6, no: 9 });
});

it('the authorizer leaves tokens to the ingress, where the configuration has issuers', async () => {
  const event = {
    headers: { authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.x' },
    pathParameters: { team: 'shop', app: 'clicks' },
  };
  const answers = [true, false].map(async (tokens) => {
    const handler = await authorizerOf({ keys: [], tokens });
    return (await handler(event)).isAuthorized;
  });
  expect(await Promise.all(answers)).toEqual([true, false]);
  const handler = await authorizerOf({ keys: [], tokens: true });
  expect(await handler({})).toEqual({ isAuthorized: false });
});
