/**
 * What `cdk` runs: reads the stage that `--context stage=FILE` names, and synthesizes its stacks.
 */
import { addStacks, createApp } from './app.ts';
import { loadDeployment } from './load-deployment.ts';
import { SluiceError } from './sluice.ts';

try {
  const app = createApp();
  const stageFile = (app.node.tryGetContext('stage') as string | undefined) ?? 'stage.yaml';
  addStacks(app, await loadDeployment(stageFile));
  app.synth();
} catch (thrown) {
  if (!(thrown instanceof SluiceError)) throw thrown;
  console.error(`${thrown.message}${thrown.fix === undefined ? '' : `\n  ${thrown.fix}`}`);
  process.exit(1);
}
