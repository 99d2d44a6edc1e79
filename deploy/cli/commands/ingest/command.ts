/**
 * `sluice ingest`: how it is called.
 */
import { command } from '../../command.ts';
import { keyFile, port } from '../../shared-options.ts';

export default command({
  name: 'ingest',
  summary: 'Run only the ingress, on Kinesis and Kafka',
  order: 20,
  options: { port, keyFile },
  examples: ['--config services.yaml --dir ingest ingest'],
  writes: true,
  run: async (context, { options }) => {
    const { ingestCommand } = await import('../../services.ts');
    return ingestCommand({ ...context, ...options, config: context.configFile() });
  },
});
