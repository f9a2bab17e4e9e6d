"""What is looked up of a written prompt or of a talk is found by an index: who else wrote it, how
many there are of its category, what was said next."""

import django.db.models.deletion
from django.db import migrations, models


def fill(apps, schema_editor):
    RaterText = apps.get_model("labeling", "RaterText")
    rows = RaterText.objects.filter(label__isnull=False, prompt=None).select_related("label")
    found = []
    for row in rows.iterator(chunk_size=500):
        part = row.label.answer["parts"].get(row.part.split("/")[0], {})
        if part.get("prompt"):
            row.prompt_id = part["prompt"]
            found.append(row)
    RaterText.objects.bulk_update(found, ["prompt"], batch_size=400)


class Migration(migrations.Migration):
    dependencies = [("labeling", "0009_parts_keep_their_order")]
    operations = [
        migrations.AddField(
            model_name="ratertext",
            name="prompt",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="labeling.prompt",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="prompt", index=models.Index(fields=["item"], name="prompt_item")
        ),
        migrations.AddIndex(
            model_name="prompt",
            index=models.Index(
                condition=models.Q(("source", "written"), ("withdrawn_at", None)),
                fields=["prompt_set", "category"],
                name="prompt_written",
            ),
        ),
    ]
