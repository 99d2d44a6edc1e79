/**
 * `sluice/enrich`: ready enrichments for topologies. Pure functions over what windows collect;
 * nothing here opens a file or a connection.
 */
export {
  type Influence,
  type InfluenceOptions,
  type InfluenceStep,
  influence,
  influenceQuestions,
} from './graph/mappings/influence.ts';
export {
  type Journey,
  type JourneyOptions,
  journey,
  journeyQuestions,
  type Visit,
} from './graph/mappings/journey.ts';
export type { GraphQuestion, PathElement, PathWindow } from './graph/mappings/path.ts';
