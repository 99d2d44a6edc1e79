package sluice.flink;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Flow;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;

/**
 * Asks over HTTP, one GET a key, as enrich/lookup/http-lookup.ts does: the same request, no
 * redirects, a bounded body that is read to its end, so that the connection is used again. What an
 * answer means is not decided here, nor when to ask again.
 */
final class HttpAsking implements Asking {
  /** As lookupAnswerMaxBytes of enrich/lookup/http-answer.ts. */
  static final int BODY_MAX_BYTES = 1 << 20;
  /**
   * The look-up's own clock says when a request is over. Where its task does not run, the request
   * ends at the latest so long after its time.
   */
  private static final Duration GRACE = Duration.ofSeconds(30);

  /** What it is made of. */
  static final class Factory implements Asking.Factory {
    private static final long serialVersionUID = 1;
    private final String url;
    private final Map<String, String> headers;
    /** By header: the variable that has its value, where the job runs. */
    private final Map<String, String> headersEnv;
    private final long timeoutMs;

    /** {@code lookups}: of the settings; a look-up there is what deploy/flink/lookup-settings.ts says. */
    static Factory of(JsonNode lookup, JsonNode lookups) {
      String name = lookup.get("name").asText();
      JsonNode given = lookups.path(name);
      if (!given.path("url").isTextual())
        throw new IllegalArgumentException("the topology needs settings.lookups." + name + ", as {\"url\": \"http://prices.example/{key}\"}");
      try {
        return new Factory(
            given.get("url").asText(), texts(given.path("headers")), texts(given.path("headersEnv")), lookup.get("timeoutMs").asLong());
      } catch (IllegalArgumentException thrown) {
        throw new IllegalArgumentException("settings.lookups." + name + ".url: expected an address that is URL-encoded", thrown);
      }
    }

    private static Map<String, String> texts(JsonNode given) {
      Map<String, String> texts = new HashMap<>();
      for (Iterator<String> names = given.fieldNames(); names.hasNext(); ) {
        String name = names.next();
        texts.put(name, given.get(name).asText());
      }
      return texts;
    }

    private Factory(String url, Map<String, String> headers, Map<String, String> headersEnv, long timeoutMs) {
      this.url = url;
      this.headers = headers;
      this.headersEnv = headersEnv;
      this.timeoutMs = timeoutMs;
      // A key is text that an address may have: where this is one, so is every other.
      URI.create(url.replace("{key}", "key"));
    }

    @Override
    public Asking open() {
      return new HttpAsking(this);
    }
  }

  private final Factory made;
  private final ExecutorService threads =
      Executors.newFixedThreadPool(
          1,
          run -> {
            Thread thread = new Thread(run, "sluice-look-up");
            thread.setDaemon(true);
            return thread;
          });
  private final HttpClient client =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .followRedirects(HttpClient.Redirect.NEVER)
          .executor(threads)
          .build();
  private final Map<Long, Body> asked = new ConcurrentHashMap<>();
  private final HttpRequest.Builder request;

  private HttpAsking(Factory made) {
    this.made = made;
    request = HttpRequest.newBuilder().GET().timeout(Duration.ofMillis(made.timeoutMs).plus(GRACE));
    request.setHeader("accept", "application/json");
    made.headers.forEach(request::setHeader);
    for (Map.Entry<String, String> one : made.headersEnv.entrySet()) {
      String value = System.getenv(one.getValue());
      if (value == null)
        throw new IllegalArgumentException(
            "the header '" + one.getKey() + "' of a look-up needs the variable " + one.getValue() + ", which is not set where the job runs");
      request.setHeader(one.getKey(), value);
    }
  }

  @Override
  public void ask(long number, String key, Answers answers) {
    URI address = addressOf(key);
    if (address == null) {
      answers.nothing(number);
      return;
    }
    Body body = new Body();
    asked.put(number, body);
    BodyHandler<Body> handler = head -> body;
    CompletableFuture<HttpResponse<Body>> response = client.sendAsync(request.copy().uri(address).build(), handler);
    body.response = response;
    response.whenComplete(
        (given, thrown) -> {
          if (asked.remove(number) == null) return;
          if (thrown == null) answer(number, given, answers);
          else answers.failed(number, reasonOf(thrown));
        });
  }

  private static void answer(long number, HttpResponse<Body> given, Answers answers) {
    Body body = given.body();
    String text = body.isLarge ? null : textOf(body);
    answers.answer(
        number,
        given.statusCode(),
        body.isLarge ? "large" : text == null ? "bytes" : "text",
        text == null ? "" : text,
        given.headers().firstValue("retry-after").orElse(""),
        given.headers().firstValue("date").orElse(""));
  }

  /** Null where it is not UTF-8. A byte order mark is no part of it. */
  private static String textOf(Body body) {
    ByteBuffer all = ByteBuffer.allocate(body.bytes);
    for (ByteBuffer part : body.parts) all.put(part);
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(all.flip()).toString();
      return text.startsWith("\ufeff") ? text.substring(1) : text;
    } catch (CharacterCodingException thrown) {
      return null;
    }
  }

  /** Its class: a message could repeat the request. */
  private static String reasonOf(Throwable thrown) {
    Throwable cause = thrown instanceof CompletionException && thrown.getCause() != null ? thrown.getCause() : thrown;
    return cause.getClass().getSimpleName();
  }

  /** Null where there cannot be one: `.` and `..` are steps in a path, however they are written. */
  private URI addressOf(String key) {
    String address = made.url.replace("{key}", key);
    String path = address.replaceFirst("[?#].*", "");
    for (String part : path.split("/", -1)) {
      String plain = part.replace("%2e", ".").replace("%2E", ".");
      if (plain.equals(".") || plain.equals("..")) return null;
    }
    return URI.create(address);
  }

  @Override
  public void cancel(long number) {
    Body body = asked.remove(number);
    if (body != null) body.cancel();
  }

  @Override
  public void close() {
    for (Body body : asked.values()) body.cancel();
    asked.clear();
    threads.shutdownNow();
  }

  /** The bytes of an answer; past the bound nothing more of it is read. */
  private static final class Body implements BodySubscriber<Body> {
    private final CompletableFuture<Body> whole = new CompletableFuture<>();
    private final List<ByteBuffer> parts = new ArrayList<>();
    private volatile CompletableFuture<?> response;
    private volatile Flow.Subscription subscription;
    private int bytes;
    private boolean isLarge;

    @Override
    public CompletionStage<Body> getBody() {
      return whole;
    }

    @Override
    public void onSubscribe(Flow.Subscription given) {
      subscription = given;
      given.request(Long.MAX_VALUE);
    }

    @Override
    public void onNext(List<ByteBuffer> given) {
      if (isLarge) return;
      for (ByteBuffer part : given) {
        bytes += part.remaining();
        parts.add(part);
      }
      if (bytes <= BODY_MAX_BYTES) return;
      isLarge = true;
      parts.clear();
      subscription.cancel();
      whole.complete(this);
    }

    @Override
    public void onError(Throwable thrown) {
      whole.completeExceptionally(thrown);
    }

    @Override
    public void onComplete() {
      whole.complete(this);
    }

    void cancel() {
      if (response != null) response.cancel(true);
      if (subscription != null) subscription.cancel();
    }
  }
}
