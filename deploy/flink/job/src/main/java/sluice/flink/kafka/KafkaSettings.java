package sluice.flink.kafka;

import java.io.IOException;
import java.io.Serializable;
import java.time.Instant;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.common.config.SaslConfigs;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.regions.providers.DefaultAwsRegionProviderChain;
import sluice.flink.Place;

/** What a source of Kafka is given (deploy/flink/connectors/kafka.ts). */
final class KafkaSettings implements Serializable {
  private static final long serialVersionUID = 1;
  private static final Pattern SPLIT = Pattern.compile("partition-(\\d+)(?:-.+)?");

  /** In the settings, for messages. */
  final String where;
  /** Uid of the plan's source. */
  final String source;
  /** `team/app`. */
  final String stream;
  final String topic;
  final String brokers;
  final boolean tls;
  final boolean iam;
  final String region;
  final String roleArn;
  /** Whose offsets are committed, for those who look at lags. */
  final String group;
  /** `earliest`, `latest`, or epoch ms as text; null with positions. */
  final String from;
  /** By partition: the offset of the last record that was read. */
  final Map<Integer, Long> positions = new HashMap<>();
  /** Whether what is no longer kept is gone past, with a warning. */
  final boolean skipsLost;
  final long discoverMs;
  /** JSON; null without. */
  final String claims;

  KafkaSettings(Place place) {
    where = place.where;
    source = place.operator.get("uid").asText();
    stream = place.operator.get("stream").asText();
    // As streams are named without a name of their own: schemas/config/streams.ts.
    topic = place.text("topic", stream.replace('/', '-'));
    brokers = place.text("brokers");
    tls = place.setting("tls").asBoolean(false);
    iam = place.text("auth", "none").equals("msk_iam");
    region = place.text("region", "");
    roleArn = place.text("roleArn", "");
    group = place.text("group", "sluice-" + place.topology());
    skipsLost = place.text("whenTrimmed", "fail").equals("oldest");
    discoverMs = place.number("discoveryMs", 10_000);
    claims = place.setting("claims").isMissingNode() ? null : place.setting("claims").toString();
    from = startOf(place.setting("from"));
    if (iam && region.isEmpty())
      throw new IllegalArgumentException("settings." + where + ".region: missing; tokens of msk_iam are signed for a region");
  }

  private String startOf(JsonNode given) {
    if (given.isMissingNode()) return "earliest";
    if (given.isObject() && given.has("positions")) {
      for (Iterator<Map.Entry<String, JsonNode>> each = given.get("positions").fields(); each.hasNext(); ) {
        Map.Entry<String, JsonNode> one = each.next();
        Matcher split = SPLIT.matcher(one.getKey());
        if (!split.matches() || !one.getValue().asText().matches("\\d{1,18}"))
          throw invalid("positions: expected \"partition-N\": \"OFFSET\", got " + one);
        positions.put(Integer.valueOf(split.group(1)), Long.valueOf(one.getValue().asText()));
      }
      return null;
    }
    String text = given.asText();
    if (text.equals("earliest") || text.equals("latest")) return text;
    try {
      return Long.toString(Instant.parse(text).toEpochMilli());
    } catch (RuntimeException cause) {
      throw invalid("expected earliest, latest, a time such as 2026-01-31T00:00:00Z, or {\"positions\": {...}}, got " + given);
    }
  }

  private IllegalArgumentException invalid(String why) {
    return new IllegalArgumentException("settings." + where + ".from: " + why);
  }

  IOException unseen(Throwable cause) {
    return new IOException("the topic " + topic + " of settings." + where + " cannot be looked at: " + cause, cause);
  }

  /** Of each client of Kafka. */
  Properties client() {
    Properties properties = new Properties();
    properties.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, brokers);
    properties.put(CommonClientConfigs.CLIENT_ID_CONFIG, "sluice-flink-" + source);
    properties.put(CommonClientConfigs.SECURITY_PROTOCOL_CONFIG, (iam ? "SASL_" : "") + (tls ? "SSL" : "PLAINTEXT"));
    if (iam) {
      requireRegion();
      properties.put(SaslConfigs.SASL_MECHANISM, "OAUTHBEARER");
      properties.put(SaslConfigs.SASL_JAAS_CONFIG, "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required" + role() + ";");
      properties.put(SaslConfigs.SASL_LOGIN_CALLBACK_HANDLER_CLASS, "software.amazon.msk.auth.iam.IAMOAuthBearerLoginCallbackHandler");
    }
    return properties;
  }

  /**
   * Options of aws-msk-iam-auth 2.3.5 (MSKCredentialProvider). Without default providers, or a role that
   * cannot be assumed would be a login as the task itself. With "FIPS" it leaves the endpoint of STS to
   * the SDK, which is the region's, or that of AWS_ENDPOINT_URL_STS, and else sets it, and does no more.
   */
  private String role() {
    if (roleArn.isEmpty()) return "";
    return " awsRoleArn=\"" + roleArn + "\" awsRoleSessionName=\"sluice\" awsStsRegion=\"" + region
        + "\" awsAddDefaultProviders=\"false\" awsShouldUseFips=\"true\"";
  }

  /** The signer of tokens takes the region of its surroundings, and no other. */
  private void requireRegion() {
    Region around = null;
    try {
      around = DefaultAwsRegionProviderChain.builder().build().getRegion();
    } catch (SdkException none) {
      System.setProperty("aws.region", region);
    }
    if (around != null && !around.id().equals(region))
      throw new IllegalArgumentException(
          "settings." + where + ".region: tokens for Kafka are signed for " + around.id() + " here, by AWS_REGION or the machine, and the cluster is in " + region
              + ": run the job in the region of the cluster");
  }
}
