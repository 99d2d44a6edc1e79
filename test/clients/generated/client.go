// Sends one event of each kind with the client that oapi-codegen made, and prints what its types say of the answers.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
)

func check(kind string, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, kind, err)
		os.Exit(1)
	}
}

func clientOf(key string) *ClientWithResponses {
	client, err := NewClientWithResponses(os.Getenv("SLUICE_URL"), WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+os.Getenv(key))
		return nil
	}))
	check("client", err)
	return client
}

func taken(kind string, answer *SendResponse, err error) {
	check(kind, err)
	if answer.JSON200 == nil {
		check(kind, fmt.Errorf("%d %s", answer.StatusCode(), answer.Body))
	}
	one, err := answer.JSON200.AsTaken()
	check(kind, err)
	fmt.Println(kind, one.Id)
}

func batch(kind string, answer *SendResponse, err error) {
	check(kind, err)
	if answer.JSON200 == nil {
		check(kind, fmt.Errorf("%d %s", answer.StatusCode(), answer.Body))
	}
	many, err := answer.JSON200.AsBatch()
	check(kind, err)
	fmt.Println(kind, many.Accepted)
}

func data(kind string) map[string]interface{} {
	return map[string]interface{}{"by": "go", "kind": kind}
}

func event(kind string) CloudEvent {
	return CloudEvent{
		Specversion: "1.0", Id: "go-" + kind, Source: "/go", Type: "t", Data: data(kind),
		AdditionalProperties: map[string]interface{}{"campaign": "spring"},
	}
}

func main() {
	ctx := context.Background()
	client, wrapped := clientOf("SLUICE_KEY"), clientOf("SLUICE_WRAPPED_KEY")
	text := func(value string) *string { return &value }

	answer, err := client.SendWithResponse(ctx, "t", "web", &SendParams{XEventId: text("go-json")}, JsonEvent{AdditionalProperties: data("json")})
	taken("json", answer, err)
	envelope := JsonEvent{Data: data("envelope"), AdditionalProperties: map[string]interface{}{"id": "go-envelope"}}
	answer, err = wrapped.SendWithResponse(ctx, "t", "wrapped", nil, envelope)
	taken("envelope", answer, err)
	list := strings.NewReader(`[{"by":"go","kind":"array","n":1},{"by":"go","kind":"array","n":2}]`)
	answer, err = client.SendWithBodyWithResponse(ctx, "t", "web", nil, "application/json", list)
	batch("array", answer, err)
	answer, err = client.SendWithApplicationCloudeventsPlusJSONBodyWithResponse(ctx, "t", "web", nil, event("structured"))
	taken("structured", answer, err)
	binary := func(_ context.Context, req *http.Request) error {
		for name, value := range map[string]string{"ce-specversion": "1.0", "ce-id": "go-binary", "ce-source": "/go", "ce-type": "t"} {
			req.Header.Set(name, value)
		}
		return nil
	}
	answer, err = client.SendWithResponse(ctx, "t", "web", nil, JsonEvent{AdditionalProperties: data("binary")}, binary)
	taken("binary", answer, err)
	events := []interface{}{event("batch-1"), event("batch-2")}
	answer, err = client.SendWithApplicationCloudeventsBatchPlusJSONBodyWithResponse(ctx, "t", "web", nil, events)
	batch("batch", answer, err)

	track, err := client.SegmentTrackWithResponse(ctx, SegmentTrack{Event: "Bought", UserId: "u", MessageId: "go-track"})
	check("track", err)
	fmt.Println("track", track.JSON200.Success)
	var first, second SegmentBatchedMessage
	check("messages", first.FromSegmentBatchedTrack(SegmentBatchedTrack{Event: "Bought", UserId: "u", MessageId: "go-messages-1"}))
	check("messages", second.FromSegmentBatchedPage(SegmentBatchedPage{AnonymousId: "a", MessageId: "go-messages-2"}))
	messages, err := client.SegmentBatchWithResponse(ctx, SegmentBatch{Batch: []SegmentBatchedMessage{first, second}})
	check("messages", err)
	fmt.Println("messages", messages.JSON200.Success)
	pixel, err := client.PixelWithResponse(ctx, "t", "web", &PixelParams{Id: text("go-pixel"), Data: data("pixel")})
	check("pixel", err)
	fmt.Println("pixel", pixel.StatusCode())
}
