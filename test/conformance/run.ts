/**
 * `npm run conformance -- FILE...`: runs case files through the test driver, in every variation,
 * and exits with 1 when a case fails or cannot be read. `--engine flink` runs them on the operators
 * of the Flink job. `--json` prints one JSON document instead of lines.
 */
import { parseArgs } from 'node:util';
import { CaseServer } from './flink/case-server.ts';
import { flinkOpener } from './flink/flink-driver.ts';
import { report } from './report.ts';
import { flinkVariations } from './variations.ts';

const { values: options, positionals: files } = parseArgs({
  options: {
    engine: { type: 'string', default: 'sluice' },
    json: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});

if (files.length === 0 || !['sluice', 'flink'].includes(options.engine)) {
  console.error('usage: npm run conformance -- [--engine sluice|flink] [--json] FILE...');
  process.exitCode = 2;
} else {
  const server = options.engine === 'flink' ? await CaseServer.start() : undefined;
  // Until the end is reached the run has failed: a promise that never settles must not look like
  // success.
  process.exitCode = 1;
  const { verdicts, problems, passed, failed, skipped } = await report(
    files,
    options.json ? () => undefined : console.log,
    server && {
      variations: flinkVariations,
      openerOf: ({ operator, config }) => flinkOpener(server, { operator, config }),
    },
  );
  await server?.stop();
  if (options.json) {
    const cases = verdicts.map(({ case: { file, name, operator }, variations, failures }) => ({
      file,
      name,
      operator,
      ok: failures.length === 0,
      variations,
      failures,
    }));
    console.log(JSON.stringify({ passed, failed, skipped, problems, cases }, null, 2));
  } else {
    if (skipped.length > 0) console.log(`skipped, no case: ${skipped.join(', ')}`);
    console.log(`${passed} passed, ${failed} failed`);
  }
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}
