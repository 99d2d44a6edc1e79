/** How long a function of the product may be, and those that are longer until they are parted. */
export const functionMaxLines = 70;

/** File and name. A function that is short enough leaves the list; none comes in. */
export const toBeShortened: readonly string[] = [
  'topology/examples/flights/topology.ts a function without a name',
];
