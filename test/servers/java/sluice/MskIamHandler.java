package sluice;

import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerExtensionsValidatorCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

/**
 * Takes the tokens of MSK IAM, as a cluster of MSK does: the base64url of a presigned https://kafka.REGION.amazonaws.com/ with the action
 * kafka-cluster:Connect. Checks its form, its life, and, with the secret of its access key, its signature. The option `keys` lists access keys and
 * secrets as id:secret, with commas between. The principal is the access key.
 */
public final class MskIamHandler implements AuthenticateCallbackHandler {
  private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'");
  private final Map<String, String> secrets = new HashMap<>();

  @Override
  public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {
    for (AppConfigurationEntry entry : entries) {
      Object keys = entry.getOptions().get("keys");
      if (keys == null) continue;
      for (String key : keys.toString().split(",")) {
        String[] parts = key.split(":", 2);
        secrets.put(parts[0], parts[1]);
      }
    }
  }

  @Override
  public void handle(Callback[] callbacks) throws UnsupportedCallbackException {
    for (Callback callback : callbacks) {
      if (callback instanceof OAuthBearerValidatorCallback asked) {
        try {
          asked.token(read(asked.tokenValue()));
        } catch (Exception e) {
          // Thrown, as MSK answers: an error of the callback becomes a challenge, which clients take for success.
          throw new SaslAuthenticationException("Access denied: " + e.getMessage());
        }
      } else if (callback instanceof OAuthBearerExtensionsValidatorCallback asked) {
        asked.inputExtensions().map().keySet().forEach(asked::valid);
      } else {
        throw new UnsupportedCallbackException(callback);
      }
    }
  }

  private OAuthBearerToken read(String token) throws Exception {
    URI url = URI.create(new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8));
    TreeMap<String, String> query = new TreeMap<>();
    for (String pair : url.getRawQuery().split("&")) {
      int at = pair.indexOf('=');
      query.put(decoded(pair.substring(0, at)), decoded(pair.substring(at + 1)));
    }
    String[] scope = query.getOrDefault("X-Amz-Credential", "").split("/");
    if (scope.length != 5) throw new IllegalArgumentException("no credential");
    String key = scope[0], region = scope[2];
    if (!"https".equals(url.getScheme()) || !url.getHost().equals("kafka." + region + ".amazonaws.com")) {
      throw new IllegalArgumentException("not for this region");
    }
    if (!"kafka-cluster:Connect".equals(query.get("Action"))) throw new IllegalArgumentException("another action");
    // Credentials that end give the signer a fraction of a second.
    double seconds = Double.parseDouble(query.get("X-Amz-Expires"));
    if (!(seconds > 0) || seconds > 900) throw new IllegalArgumentException("no such life");
    Instant signed = LocalDateTime.parse(query.get("X-Amz-Date"), TIME).toInstant(ZoneOffset.UTC);
    Instant ends = signed.plusMillis((long) (seconds * 1000));
    if (Instant.now().isAfter(ends)) throw new IllegalArgumentException("expired");
    if (!secrets.containsKey(key)) throw new IllegalArgumentException("unknown access key");
    String given = query.remove("X-Amz-Signature");
    // Added by the signer after it has signed.
    query.remove("User-Agent");
    if (!signature(url.getHost(), scope, query, secrets.get(key)).equals(given)) throw new IllegalArgumentException("wrong signature");
    return new OAuthBearerToken() {
      @Override public String value() { return token; }
      @Override public Set<String> scope() { return Set.of(); }
      @Override public long lifetimeMs() { return ends.toEpochMilli(); }
      @Override public String principalName() { return key; }
      @Override public Long startTimeMs() { return signed.toEpochMilli(); }
    };
  }

  /** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
  private static String signature(String host, String[] scope, TreeMap<String, String> query, String secret) throws Exception {
    StringBuilder canonical = new StringBuilder();
    query.forEach((name, value) -> canonical.append(canonical.isEmpty() ? "" : "&").append(encoded(name)).append('=').append(encoded(value)));
    String request = "GET\n/\n" + canonical + "\nhost:" + host + "\n\nhost\n" + digest("");
    String place = String.join("/", scope[1], scope[2], scope[3], scope[4]);
    String text = "AWS4-HMAC-SHA256\n" + query.get("X-Amz-Date") + "\n" + place + "\n" + digest(request);
    byte[] key = ("AWS4" + secret).getBytes(StandardCharsets.UTF_8);
    for (int i = 1; i < scope.length; i++) key = mac(key, scope[i]);
    return HexFormat.of().formatHex(mac(key, text));
  }

  private static String decoded(String text) {
    return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20").replace("*", "%2A").replace("%7E", "~");
  }

  private static String digest(String text) throws Exception {
    return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
  }

  private static byte[] mac(byte[] key, String text) throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
  }

  @Override
  public void close() {}
}
