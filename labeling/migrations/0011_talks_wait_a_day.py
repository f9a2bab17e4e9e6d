"""Talks that nobody comes back to are closed, and a rater may say why they leave one. Those that
are open now wait a day from here on."""

from django.db import migrations, models

import labeling.models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0010_written_prompts_by_index")]
    operations = [
        migrations.AddField(
            model_name="conversation",
            name="held_until",
            field=models.DateTimeField(default=labeling.models.waits_until),
        ),
        migrations.AddField(
            model_name="conversation",
            name="end_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("cannot_judge", "I cannot judge this"),
                    ("language", "Not my language"),
                    ("broken", "Something here is broken"),
                    ("uncomfortable", "I would rather not read this"),
                    ("abandoned", "Nobody came back to it"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("ended_at", None)),
                fields=["held_until"],
                name="conversation_held_until",
            ),
        ),
    ]
