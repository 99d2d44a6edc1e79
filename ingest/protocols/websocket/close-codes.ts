/**
 * Why a WebSocket is closed by us: RFC 6455, section 7.4.1, and the registry of close codes at IANA
 * (https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number). Each goes with a
 * reason in words.
 */
export const closeCodes = {
  /** The instance stops. */
  goingAway: 1001,
  /**
   * It breaks a rule: more than its credit, acknowledgements that are not read, more and more
   * beyond its quota.
   */
  policyViolation: 1008,
  messageTooBig: 1009,
  /** There is no room now. */
  tryAgainLater: 1013,
  /** As HTTP's 401; of the codes that are everybody's own (RFC 6455, section 7.4.2). */
  notLetIn: 4401,
} as const;
