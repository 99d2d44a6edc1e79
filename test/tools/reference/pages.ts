/**
 * The pages of docs/reference that are made of tables, by their path in the repository.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorPage, renderErrorPage } from '../error-page.ts';
import { metricsReference } from '../metrics-reference.ts';
import { protocolsText } from '../protocols-page.ts';
import { cliPage } from './cli-page.ts';
import { configPage } from './config-page.ts';
import { costPage } from './cost-page.ts';
import { operatorsPage } from './operators-page.ts';

export const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  'docs/reference/cli.md': cliPage,
  'docs/reference/config.md': configPage,
  'docs/reference/cost.md': costPage,
  [errorPage]: renderErrorPage,
  'docs/reference/metrics.md': metricsReference,
  'docs/reference/operators.md': operatorsPage,
  'docs/reference/protocols.md': protocolsText,
};

/** Paths of the pages below `root` that are missing, or are not what the tables say now. */
export async function stalePages(root: string): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const [path, text] of Object.entries(pages)) {
    const file = join(root, path);
    const now = await text();
    if (!existsSync(file) || readFileSync(file, 'utf8') !== now) stale.push(path);
  }
  return stale;
}
