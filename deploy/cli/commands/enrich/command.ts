/**
 * `sluice enrich`: how it is called.
 */
import { command } from '../../command.ts';
import { dropState, from, healthPort } from '../../shared-options.ts';

export default command({
  name: 'enrich',
  summary: 'Run only the topologies, from Kinesis and Kafka into S3, Firehose and Neo4j',
  order: 30,
  options: { port: healthPort, dropState, from },
  examples: ['--config services.yaml --dir enrich enrich --from latest'],
  writes: true,
  run: async (context, { options }) => {
    const { enrichCommand } = await import('../../services.ts');
    return enrichCommand({ ...context, ...options, config: context.configFile() });
  },
});
